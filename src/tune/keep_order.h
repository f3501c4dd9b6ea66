// Which groups to keep in float first.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tarmac {

/// What is known of a group.
struct GroupRow {
  std::string node;  ///< the group's name
  std::string op_type;
  std::optional<double> sensitivity;  ///< points of the metric as a fraction; absent: not measured
  std::optional<double> snr_db;       ///< absent: not measured
  bool int8 = true;                   ///< the form chosen
  std::string reason;                 ///< why it stays in float; empty in INT8
  std::int64_t float_ns = 0;          ///< of its nodes in the float model
  std::int64_t int8_ns = 0;           ///< and in the model with all groups in INT8
};

/// Indices of `rows`. First those that cost points of the metric, by points over latency lost; then the
/// others, by noise power over latency lost. Latency lost: float_ns − int8_ns, at least a hundredth of all
/// groups' time, so that what costs next to nothing does not come before what helps.
std::vector<std::size_t> keep_order(const std::vector<GroupRow>& rows);

/// Indices of `rows`, the noisiest first.
std::vector<std::size_t> noise_order(const std::vector<GroupRow>& rows);

/// Sorts by what people look for: in float first, then the largest loss of the metric, then the noisiest.
void put_culprits_first(std::vector<GroupRow>& rows);

}  // namespace tarmac

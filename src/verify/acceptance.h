// The contract's limits against what was measured.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "metrics/error_metrics.h"
#include "metrics/latency.h"
#include "tarmac/contract.h"

namespace tarmac {

/// One variant of the model on one target.
struct VariantMeasurements {
  std::string target;     ///< "openvino", …
  std::string variant;    ///< "original", "fp32", "int8", "fp16", "bf16"
  bool deployed = false;  ///< Goes to the vehicle: latency, throughput and memory limits are about it.
  std::optional<double> accuracy;        ///< of the contract's metric, in [0, 1]
  std::optional<double> nds;             ///< DetectionMetrics3d::score()
  std::optional<double> velocity_error;  ///< m/s
  std::optional<LatencySummary> latency;
  std::optional<double> throughput_per_s;
  std::optional<std::uint64_t> peak_memory_bytes;
  std::optional<ErrorMetrics> reference_error;  ///< against the framework's stored outputs
};

enum class Bound { kAtMost, kAtLeast };

/// One limit and whether it is kept.
struct Criterion {
  std::string name;  ///< the contract's key: "fp32_drop", "latency_p99", "max_relative_error", …
  std::string target;
  std::string variant;
  Bound bound = Bound::kAtMost;
  double limit = 0;
  std::optional<double> measured;  ///< absent: not measured, which is a failure
  std::string unit;                ///< "fraction" (0.01 is one percentage point), "ns", "1/s", "bytes", "m/s"
  bool passed = false;
  std::string metric;  ///< of a drop: display_name() of the contract's metric
  std::string detail;  ///< one sentence with the numbers: what was found, what was asked
};

/// A criterion for each limit that the contract sets and each variant that it is about:
/// - fp32_drop, int8_drop, fp16_drop, bf16_drop: accuracy of "original" on the same target (else on any) less
///   that of "fp32" ("int8", …);
/// - nds_drop, velocity_error_rise: the same of the nuScenes score and the velocity error, every deployed
///   variant;
/// - latency_p50, latency_p99, throughput, memory: every deployed variant;
/// - max_relative_error (contract.reference): "original" and "fp32" on every target, NaN and infinities must
/// agree too; INT8 promises accuracy, not equal outputs. A limit for which no variant was measured yields one
/// failed criterion: nothing passes by being left out.
std::vector<Criterion> check_acceptance(const Contract& contract,
                                        std::span<const VariantMeasurements> variants);

/// OK when all passed; else kAcceptance listing what failed.
Status acceptance_status(std::span<const Criterion> criteria);

}  // namespace tarmac

// What the engines answered when asked about operators that passes like to emit, by engine version: asking
// takes the engine's libraries into memory (25 MB for OpenVINO), which optimising alone does not need.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace tarmac {

/// A row covers the opsets from the one that the operator came with to `last_opset`.
struct KnownOperator {
  std::string_view engine;  ///< Target::version()
  std::string_view op_type;
  std::int64_t first_opset;
  std::int64_t last_opset;
  bool accepted;
};

/// Standard operators only. A test asks the engines whether the rows are true.
std::span<const KnownOperator> known_operators();

/// nullopt: ask the engine.
std::optional<bool> known_operator(std::string_view engine, std::string_view op_type,
                                   std::int64_t opset_version);

}  // namespace tarmac

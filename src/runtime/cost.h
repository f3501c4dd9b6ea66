// What a run of a graph costs, counted from its shapes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "runtime/plan_memory.h"

namespace tarmac {

struct ArithmeticCost {
  std::int64_t flops = 0;
  std::int64_t counted_nodes = 0;
  std::int64_t uncounted_nodes = 0;
};

/// As ModelInfo::flops, for a graph whose types have been inferred and whose functions are inlined.
ArithmeticCost count_arithmetic(const Graph& graph);

/// Each activation's bytes and the nodes of the main graph between which it is needed, by position. Inputs
/// live from the first node on, outputs to the last; constants and what nobody uses do not count. Errors:
/// kInvalidInput names the first value of unknown size.
Result<std::vector<BlockLifetime>> activation_lifetimes(const Graph& graph);

/// As ModelInfo::peak_activation_bytes; kInvalidInput names the first value of unknown size.
Result<std::uint64_t> peak_activation_bytes(const Graph& graph);

}  // namespace tarmac

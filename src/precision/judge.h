// Whether a node's numbers fit a 16-bit float.
#pragma once

#include <functional>
#include <string>

#include "precision/cast_plan.h"

namespace tarmac {

struct Judgement {
  std::string reason;  ///< why the node stays in float32; empty when it need not
  ValueStats stats;    ///< of the tensor that decided
};

/// The figures of a value on its own: null when nothing was observed (it is no float32 tensor).
using StatsLookup = std::function<const ValueStats*(const Value&)>;

double snr_limit(const PlanOptions& options);

/// Whole numbers and sizes of one tensor: overflow, and positions that are not exact. Empty when it fits.
std::string misfit(const ValueStats& stats, const PlanOptions& options);

/// Underflow and noise of one tensor against snr_limit(). Empty when it is little.
std::string loss(const ValueStats& stats, const PlanOptions& options);

/// Looks at what the node reads and makes, in this order: overflow, infinities that appear, positions, sums,
/// underflow and loss.
Judgement judge_node(const Node& node, const PlanOptions& options, const StatsLookup& stats);

}  // namespace tarmac

// Bounds on what a model may make later stages do, however small its file is.
#pragma once

#include <cstdint>

#include "graph/graph.h"

namespace tarmac {

/// Levels of If, Loop and Scan bodies inside each other. OpenVINO's compile time doubles with each.
inline constexpr int kMaxGraphNesting = 16;
/// Nodes after local functions are inlined; functions that call functions grow exponentially.
inline constexpr std::uint64_t kMaxExpandedNodes = std::uint64_t{1} << 22U;

/// Errors: kUnsupported beyond a limit, kInvalidModel for a function that calls itself.
Status check_limits(const Model& model);

}  // namespace tarmac

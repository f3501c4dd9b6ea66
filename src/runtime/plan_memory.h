// Memory planned ahead: who lies where, when it is known who lives when.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tarmac/result.h"

namespace tarmac {

/// Memory that is needed from one step to another, both included.
struct BlockLifetime {
  std::uint64_t bytes = 0;
  std::uint64_t alignment = 64;  ///< of its place, at least 1
  std::size_t first_use = 0;
  std::size_t last_use = 0;
};

struct MemoryPlan {
  std::vector<std::uint64_t> offsets;  ///< by block
  std::uint64_t total_bytes = 0;
};

/// Places blocks so that those which live at the same time do not overlap: large blocks first, each in the
/// smallest gap that holds it between those already placed ("greedy by size for offset calculation":
/// Pisarchyk and Lee, Efficient Memory Management for Deep Neural Net Inference, arXiv 2001.03288). Takes
/// O(n²). Errors: kInvalidInput (a block that ends before it begins, alignment 0), kResourceExhausted (more
/// than 2^63 bytes).
Result<MemoryPlan> plan_memory(std::span<const BlockLifetime> blocks);

/// The most bytes that live at one step: no plan takes less.
std::uint64_t peak_live_bytes(std::span<const BlockLifetime> blocks);

}  // namespace tarmac

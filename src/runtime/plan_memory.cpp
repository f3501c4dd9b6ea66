#include "runtime/plan_memory.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <string>

namespace tarmac {
namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 63U;

bool live_together(const BlockLifetime& a, const BlockLifetime& b) {
  return a.first_use <= b.last_use && b.first_use <= a.last_use;
}

std::uint64_t aligned(std::uint64_t offset, std::uint64_t alignment) {
  return (offset + alignment - 1) / alignment * alignment;
}

Status check(std::span<const BlockLifetime> blocks) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const BlockLifetime& block = blocks[i];
    if (block.alignment == 0 || block.last_use < block.first_use) {
      return make_error(ErrorCode::kInvalidInput,
                        "block " + std::to_string(i) + " of a memory plan has alignment " +
                            std::to_string(block.alignment) + " and lives from step " +
                            std::to_string(block.first_use) + " to " + std::to_string(block.last_use));
    }
    // With room for each block's alignment, so that no offset can overflow.
    if (__builtin_add_overflow(sum, block.bytes, &sum) ||
        __builtin_add_overflow(sum, block.alignment, &sum) || sum > kMostBytes) {
      return make_error(ErrorCode::kResourceExhausted, "a memory plan of more than 2^63 bytes");
    }
  }
  return {};
}

/// Where `block` fits best among `placed`, which are in the order of their offsets.
std::uint64_t best_offset(const BlockLifetime& block, std::span<const BlockLifetime> blocks,
                          const std::vector<std::size_t>& placed, const std::vector<std::uint64_t>& offsets) {
  std::optional<std::uint64_t> best;
  std::uint64_t smallest_gap = 0;
  std::uint64_t end = 0;
  for (const std::size_t other : placed) {
    if (!live_together(block, blocks[other])) continue;
    const std::uint64_t begin = aligned(end, block.alignment);
    if (offsets[other] >= begin && offsets[other] - begin >= block.bytes) {
      const std::uint64_t gap = offsets[other] - end;
      if (!best || gap < smallest_gap) {
        best = begin;
        smallest_gap = gap;
      }
    }
    end = std::max(end, offsets[other] + blocks[other].bytes);
  }
  return best.value_or(aligned(end, block.alignment));
}

}  // namespace

Result<MemoryPlan> plan_memory(std::span<const BlockLifetime> blocks) {
  TARMAC_CHECK_OK(check(blocks));
  std::vector<std::size_t> order(blocks.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return blocks[a].bytes > blocks[b].bytes; });
  MemoryPlan plan;
  plan.offsets.resize(blocks.size());
  std::vector<std::size_t> placed;
  placed.reserve(blocks.size());
  for (const std::size_t i : order) {
    plan.offsets[i] = best_offset(blocks[i], blocks, placed, plan.offsets);
    plan.total_bytes = std::max(plan.total_bytes, plan.offsets[i] + blocks[i].bytes);
    const auto behind = std::upper_bound(
        placed.begin(), placed.end(), plan.offsets[i],
        [&](std::uint64_t offset, std::size_t other) { return offset < plan.offsets[other]; });
    placed.insert(behind, i);
  }
  return plan;
}

std::uint64_t peak_live_bytes(std::span<const BlockLifetime> blocks) {
  // By step: bytes that begin to live there, less those whose last step was the one before.
  std::map<std::size_t, std::int64_t> change;
  for (const BlockLifetime& block : blocks) {
    change[block.first_use] += static_cast<std::int64_t>(block.bytes);
    change[block.last_use + 1] -= static_cast<std::int64_t>(block.bytes);
  }
  std::int64_t now = 0;
  std::int64_t peak = 0;
  for (const auto& [step, bytes] : change) {
    now += bytes;
    peak = std::max(peak, now);
  }
  return static_cast<std::uint64_t>(peak);
}

}  // namespace tarmac

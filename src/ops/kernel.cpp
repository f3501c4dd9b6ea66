#include "ops/kernel.h"

#include <array>
#include <cassert>
#include <memory>
#include <new>

namespace tarmac::ops {
namespace {

constexpr std::align_val_t kAlignment{64};

struct Release {
  void operator()(std::byte* memory) const { ::operator delete(memory, kAlignment); }
};

struct Block {
  std::unique_ptr<std::byte, Release> memory;
  std::size_t size_bytes = 0;
};

}  // namespace

std::byte* scratch(std::size_t size_bytes, std::size_t slot) {
  thread_local std::array<Block, kScratchSlots> blocks;
  assert(slot < kScratchSlots);
  Block& block = blocks[slot];
  if (block.size_bytes < size_bytes) {
    block.memory.reset();  // before the larger one, so that both never exist at once
    block.size_bytes = 0;
    block.memory.reset(static_cast<std::byte*>(::operator new(size_bytes, kAlignment)));
    block.size_bytes = size_bytes;
  }
  return block.memory.get();
}

}  // namespace tarmac::ops

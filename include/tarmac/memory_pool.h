// Memory for tensors that come and go, taken from the system once.
#pragma once

#include <cstdint>
#include <memory>

#include "tarmac/result.h"
#include "tarmac/tensor.h"

namespace tarmac {

struct MemoryPoolOptions {
  std::uint64_t limit_bytes = std::uint64_t{1} << 30U;  ///< of all blocks, in use and free
};

/// Bytes are those of whole blocks, as the system gave them.
struct MemoryPoolCounts {
  std::uint64_t held_bytes = 0;  ///< in use and free
  std::uint64_t in_use_bytes = 0;
  std::uint64_t peak_in_use_bytes = 0;
  std::uint64_t acquired = 0;  ///< in all
  std::uint64_t reused = 0;    ///< of those, without asking the system
  std::uint64_t refused = 0;   ///< for the limit
};

/// Blocks in size classes of four steps to each power of two (at most a quarter is wasted above 256 bytes),
/// 64-byte aligned. A block goes back when the last tensor that shares it is gone, also after the pool
/// itself. Where the limit is reached, free blocks of other classes make room. Thread-safe; copies share the
/// pool. Reuse allocates nothing: `shape` becomes the tensor's, and what counts its owners lies in the block.
class MemoryPool {
 public:
  /// Errors: kResourceExhausted.
  static Result<MemoryPool> create(const MemoryPoolOptions& options = {});

  /// A writable tensor, its bytes not initialised. Errors: kInvalidInput (shape, strings), kResourceExhausted
  /// (says limit, use and what was asked for).
  [[nodiscard]] Result<Tensor> acquire(DType dtype, Shape shape);
  /// Gives free blocks back to the system.
  void trim();
  [[nodiscard]] MemoryPoolCounts counts() const;

 private:
  struct Block;
  class Blocks;
  template <typename T>
  struct HeadAllocator;
  explicit MemoryPool(std::shared_ptr<Blocks> blocks);
  Result<Tensor> acquire_block(DType dtype, Shape shape);
  std::shared_ptr<Blocks> blocks_;
};

}  // namespace tarmac

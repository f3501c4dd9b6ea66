#include "tarmac/memory_pool.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstdlib>
#include <mutex>
#include <new>
#include <string>
#include <utility>

#include "base/edge.h"

namespace tarmac {
namespace {

constexpr std::size_t kAlignment = 64;  // as Tensor::allocate()
constexpr std::uint64_t kSmallest = 256;
constexpr unsigned kSmallestExponent = 8;
constexpr std::uint64_t kSteps = 4;
constexpr std::size_t kClasses = 1 + kSteps * (63 - kSmallestExponent);

/// Class 0 holds kSmallest bytes; then four to each power of two: 5/4, 6/4, 7/4 and 8/4 of the power below.
std::size_t class_of(std::uint64_t bytes) {
  if (bytes <= kSmallest) return 0;
  const auto exponent = static_cast<unsigned>(std::bit_width(bytes - 1)) - 1;
  const std::uint64_t step = (std::uint64_t{1} << exponent) / kSteps;
  const std::uint64_t above = bytes - (std::uint64_t{1} << exponent);
  return kSteps * (exponent - kSmallestExponent) + (above + step - 1) / step;
}

std::uint64_t class_bytes(std::size_t size_class) {
  if (size_class == 0) return kSmallest;
  const std::uint64_t power = kSmallest << ((size_class - 1) / kSteps);
  return power + power / kSteps * ((size_class - 1) % kSteps + 1);
}

}  // namespace

/// The head of a block; the tensor's bytes follow it.
struct alignas(kAlignment) MemoryPool::Block {
  static constexpr std::size_t kControlBytes = 96;

  Block* next = nullptr;  ///< free block of the same class
  std::size_t size_class = 0;
  alignas(16) std::array<std::byte, kControlBytes> control;  ///< of the shared_ptr that owns the block

  [[nodiscard]] std::byte* bytes() { return reinterpret_cast<std::byte*>(this) + sizeof(Block); }
};

class MemoryPool::Blocks {
 public:
  explicit Blocks(std::uint64_t limit_bytes) : limit_bytes_(limit_bytes) {}
  ~Blocks() { trim(); }
  Blocks(const Blocks&) = delete;
  Blocks& operator=(const Blocks&) = delete;

  Result<Block*> take(std::uint64_t bytes) {
    const std::size_t size_class = class_of(bytes);
    const std::uint64_t needed = sizeof(Block) + class_bytes(size_class);
    Block* surplus = nullptr;
    bool room = false;
    MemoryPoolCounts counts;
    {
      const std::lock_guard lock(mutex_);
      if (Block* block = free_[size_class]) {
        free_[size_class] = block->next;
        ++counts_.reused;
        lend(needed);
        return block;
      }
      surplus = unlink_until(needed);
      room = fits(needed);
      // Reserved, so that the system is asked without the lock.
      if (room) {
        counts_.held_bytes += needed;
        lend(needed);
      } else {
        ++counts_.refused;
      }
      counts = counts_;
    }
    free_list(surplus);
    if (!room) return refusal(bytes, counts);
    void* memory = std::aligned_alloc(kAlignment, needed);
    if (memory == nullptr) {
      const std::lock_guard lock(mutex_);
      counts_.held_bytes -= needed;
      counts_.in_use_bytes -= needed;
      --counts_.acquired;
      return make_error(ErrorCode::kResourceExhausted, "no memory for a block of " + std::to_string(needed) +
                                                           " bytes: release tensors, or use smaller batches");
    }
    auto* block = new (memory) Block;
    block->size_class = size_class;
    return block;
  }

  void give_back(Block* block) {
    const std::lock_guard lock(mutex_);
    counts_.in_use_bytes -= sizeof(Block) + class_bytes(block->size_class);
    block->next = free_[block->size_class];
    free_[block->size_class] = block;
  }

  void trim() {
    Block* surplus = nullptr;
    {
      const std::lock_guard lock(mutex_);
      for (std::size_t i = 0; i < kClasses; ++i) {
        while (free_[i] != nullptr) unlink(i, surplus);
      }
    }
    free_list(surplus);
  }

  [[nodiscard]] MemoryPoolCounts counts() const {
    const std::lock_guard lock(mutex_);
    return counts_;
  }

 private:
  [[nodiscard]] bool fits(std::uint64_t needed) const { return needed <= limit_bytes_ - counts_.held_bytes; }

  void lend(std::uint64_t needed) {
    ++counts_.acquired;
    counts_.in_use_bytes += needed;
    counts_.peak_in_use_bytes = std::max(counts_.peak_in_use_bytes, counts_.in_use_bytes);
  }

  /// Moves the first free block of a class to `list`.
  void unlink(std::size_t size_class, Block*& list) {
    Block* block = free_[size_class];
    free_[size_class] = block->next;
    counts_.held_bytes -= sizeof(Block) + class_bytes(size_class);
    block->next = list;
    list = block;
  }

  /// Takes free blocks out, large ones first, until `needed` bytes fit or none is left. None are taken where
  /// that would not be enough.
  Block* unlink_until(std::uint64_t needed) {
    Block* list = nullptr;
    if (needed > limit_bytes_ - counts_.in_use_bytes) return list;
    for (std::size_t i = kClasses; i-- > 0 && !fits(needed);) {
      while (free_[i] != nullptr && !fits(needed)) unlink(i, list);
    }
    return list;
  }

  static void free_list(Block* list) {
    while (list != nullptr) std::free(std::exchange(list, list->next));
  }

  [[nodiscard]] Error refusal(std::uint64_t bytes, const MemoryPoolCounts& counts) const {
    return make_error(ErrorCode::kResourceExhausted,
                      "the memory pool has no room for " + std::to_string(bytes) +
                          " bytes: " + std::to_string(counts.in_use_bytes) + " of at most " +
                          std::to_string(limit_bytes_) + " are in use; release tensors or raise the limit");
  }

  const std::uint64_t limit_bytes_;
  mutable std::mutex mutex_;  // held for a few instructions, but where free blocks make room
  std::array<Block*, kClasses> free_{};
  MemoryPoolCounts counts_;
};

/// Puts the shared_ptr's control block into the head of the block that it owns. The block goes back when the
/// control block is gone, which is after the last weak_ptr too.
template <typename T>
struct MemoryPool::HeadAllocator {
  using value_type = T;

  std::shared_ptr<Blocks> blocks;
  Block* block;

  HeadAllocator(std::shared_ptr<Blocks> all, Block* one) : blocks(std::move(all)), block(one) {}
  template <typename U>
  HeadAllocator(const HeadAllocator<U>& other)  // NOLINT(google-explicit-constructor)
      : blocks(other.blocks), block(other.block) {}

  T* allocate([[maybe_unused]] std::size_t count) {
    static_assert(sizeof(T) <= Block::kControlBytes && alignof(T) <= 16);
    assert(count == 1);
    return reinterpret_cast<T*>(block->control.data());
  }
  void deallocate(T* /*memory*/, std::size_t /*count*/) { blocks->give_back(block); }

  template <typename U>
  bool operator==(const HeadAllocator<U>& other) const {
    return block == other.block;
  }
};

MemoryPool::MemoryPool(std::shared_ptr<Blocks> blocks) : blocks_(std::move(blocks)) {}

Result<MemoryPool> MemoryPool::create(const MemoryPoolOptions& options) {
  return at_edge(
      [&]() -> Result<MemoryPool> { return MemoryPool(std::make_shared<Blocks>(options.limit_bytes)); });
}

Result<Tensor> MemoryPool::acquire(DType dtype, Shape shape) {
  return at_edge([&] { return acquire_block(dtype, std::move(shape)); });
}

Result<Tensor> MemoryPool::acquire_block(DType dtype, Shape shape) {
  if (bit_width(dtype) == 0) {
    return make_error(ErrorCode::kInvalidInput,
                      std::string("a memory pool holds numbers, found a tensor of ") + to_string(dtype));
  }
  TARMAC_TRY(const std::size_t bytes, size_bytes(dtype, shape));
  TARMAC_TRY(Block * block, blocks_->take(bytes));
  // Nothing is done with the pointer itself: giving back the control block gives back the whole.
  std::shared_ptr<void> owner(
      block, [](void*) {}, HeadAllocator<std::byte>(blocks_, block));
  return Tensor::mutable_view(dtype, std::move(shape), {block->bytes(), bytes}, std::move(owner));
}

void MemoryPool::trim() { blocks_->trim(); }
MemoryPoolCounts MemoryPool::counts() const { return blocks_->counts(); }

}  // namespace tarmac

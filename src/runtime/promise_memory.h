// Memory for promises that come and go.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <mutex>
#include <new>

namespace tarmac {

/// A few blocks that are used again; what is larger, or more, comes from the system. Thread-safe.
class PromiseMemory {
 public:
  PromiseMemory() = default;
  ~PromiseMemory() {
    while (count_ > 0) ::operator delete(free_[--count_]);
  }
  PromiseMemory(const PromiseMemory&) = delete;
  PromiseMemory& operator=(const PromiseMemory&) = delete;

  void* take(std::size_t bytes) {
    if (bytes > kBlockBytes) return ::operator new(bytes);
    {
      const std::lock_guard lock(mutex_);
      if (count_ > 0) return free_[--count_];
    }
    return ::operator new(kBlockBytes);
  }
  void give(void* block, std::size_t bytes) {
    if (bytes <= kBlockBytes) {
      const std::lock_guard lock(mutex_);
      if (count_ < free_.size()) {
        free_[count_++] = block;
        return;
      }
    }
    ::operator delete(block);
  }

 private:
  static constexpr std::size_t kBlockBytes = 256;

  std::mutex mutex_;
  std::array<void*, 8> free_{};
  std::size_t count_ = 0;
};

/// For std::promise(std::allocator_arg, …): a future may outlive the session that it came from, and keeps the
/// memory alive.
template <typename T>
class PromiseAllocator {
 public:
  using value_type = T;

  explicit PromiseAllocator(std::shared_ptr<PromiseMemory> memory) : memory_(std::move(memory)) {}
  template <typename Other>
  PromiseAllocator(const PromiseAllocator<Other>& other) noexcept  // NOLINT(google-explicit-constructor)
      : memory_(other.memory()) {}

  T* allocate(std::size_t count) { return static_cast<T*>(memory_->take(count * sizeof(T))); }
  void deallocate(T* block, std::size_t count) { memory_->give(block, count * sizeof(T)); }
  [[nodiscard]] const std::shared_ptr<PromiseMemory>& memory() const { return memory_; }
  template <typename Other>
  bool operator==(const PromiseAllocator<Other>& other) const {
    return memory_ == other.memory();
  }

 private:
  std::shared_ptr<PromiseMemory> memory_;
};

}  // namespace tarmac

// Several arrays in one block of scratch memory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tarmac::ops {

/// Where an array of T begins in the block.
template <typename T>
struct ScratchArray {
  std::size_t offset_bytes = 0;
  [[nodiscard]] T* in(std::byte* block) const { return reinterpret_cast<T*>(block + offset_bytes); }
};

/// Adds up what a kernel needs before it asks for scratch(size_bytes()). Every array begins on a cache line.
class ScratchLayout {
 public:
  template <typename T>
  ScratchArray<T> add(std::int64_t count) {
    const ScratchArray<T> array{size_bytes_};
    size_bytes_ += (static_cast<std::size_t>(count) * sizeof(T) + 63) / 64 * 64;
    return array;
  }
  [[nodiscard]] std::size_t size_bytes() const { return size_bytes_; }

 private:
  std::size_t size_bytes_ = 0;
};

}  // namespace tarmac::ops

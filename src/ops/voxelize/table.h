// From cells to numbers of voxels, in the order of appearance.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

namespace tarmac::ops::voxel {

/// A table with a place for each cell where the grid is small, hashed where it is not: its size grows with
/// the points, not with the grid.
class Table {
 public:
  /// Whether `points` points in `cells` cells get the dense form.
  static bool is_dense(std::int64_t points, std::int64_t cells) {
    return cells <= std::min(kMostDense, kDenseFactor * points);
  }
  static std::int64_t size_bytes(bool dense, std::int64_t points, std::int64_t cells) {
    return dense ? cells * std::int64_t{sizeof(std::int32_t)}
                 : static_cast<std::int64_t>(slots_for(points) * sizeof(Entry));
  }

  Table() = default;
  /// `memory` has size_bytes() and stays the caller's; clear() makes it a table.
  Table(bool dense, std::int64_t points, std::int64_t cells, std::byte* memory)
      : is_dense_(dense),
        numbers_(reinterpret_cast<std::int32_t*>(memory)),
        entries_(reinterpret_cast<Entry*>(memory)),
        mask_(slots_for(points) - 1),
        shift_(64 - static_cast<int>(std::bit_width(mask_))),
        size_bytes_(static_cast<std::size_t>(size_bytes(dense, points, cells))) {}

  void clear() { std::memset(numbers_, 0xff, size_bytes_); }

  [[nodiscard]] bool is_dense() const { return is_dense_; }

  /// The number of a cell; one that was not there gets `next`.
  std::int32_t number_dense(std::int32_t cell, std::int32_t next) {
    const std::int32_t known = numbers_[cell];
    const std::int32_t number = known < 0 ? next : known;
    numbers_[cell] = number;
    return number;
  }
  std::int32_t number_hashed(std::int32_t cell, std::int32_t next) {
    std::size_t at = slot_of(cell);
    while (entries_[at].cell != cell) {
      if (entries_[at].cell < 0) {
        entries_[at] = {cell, next};
        return next;
      }
      at = (at + 1) & mask_;
    }
    return entries_[at].number;
  }
  std::int32_t number_of(std::int32_t cell, std::int32_t next) {
    return is_dense_ ? number_dense(cell, next) : number_hashed(cell, next);
  }

  /// Brings a cell's place near before it is asked for.
  void prefetch(std::int32_t cell) const {
    __builtin_prefetch(is_dense_ ? static_cast<const void*>(numbers_ + cell) : entries_ + slot_of(cell), 1);
  }

 private:
  static constexpr std::int64_t kMostDense = 1 << 19;  // 2 MiB, about a second-level cache
  static constexpr std::int64_t kDenseFactor = 32;

  struct Entry {
    std::int32_t cell;
    std::int32_t number;
  };

  /// At most half of the slots are used.
  static std::size_t slots_for(std::int64_t points) {
    return std::bit_ceil(static_cast<std::size_t>(2 * std::max<std::int64_t>(points, 1)));
  }
  /// Multiplicative hashing (Knuth): neighbours in the grid come to lie apart.
  [[nodiscard]] std::size_t slot_of(std::int32_t cell) const {
    return static_cast<std::size_t>(static_cast<std::uint64_t>(cell) * 0x9e3779b97f4a7c15U >> shift_);
  }

  bool is_dense_ = false;
  std::int32_t* numbers_ = nullptr;
  Entry* entries_ = nullptr;
  std::size_t mask_ = 0;
  int shift_ = 63;
  std::size_t size_bytes_ = 0;
};

}  // namespace tarmac::ops::voxel

// Matrices turned round, from one type of storage to another. Included once for each instruction set, after
// ops/floats-inl.h.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#if defined(TARMAC_OPS_TRANSPOSE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TARMAC_OPS_TRANSPOSE_INL_H
#undef TARMAC_OPS_TRANSPOSE_INL_H
#else
#define TARMAC_OPS_TRANSPOSE_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tarmac::ops::HWY_NAMESPACE {

/// The first `count` lanes from memory, the others 0.
template <class D, class T>
HWY_INLINE hn::Vec<D> load_some_floats(D d, T type, const typename T::Raw* from, std::size_t count) {
  if (count >= hn::Lanes(d)) return load_floats(d, type, from);
  HWY_ALIGN typename T::Raw lanes[hn::MaxLanes(d)] = {};
  std::copy_n(from, count, lanes);
  return load_floats(d, type, lanes);
}

/// The first `count` lanes to memory.
template <class D, class T>
HWY_INLINE void store_some_floats(D d, T type, hn::Vec<D> v, typename T::Raw* to, std::size_t count) {
  if (count >= hn::Lanes(d)) return store_floats(d, type, v, to);
  HWY_ALIGN typename T::Raw lanes[hn::MaxLanes(d)];
  store_floats(d, type, v, lanes);
  std::copy_n(lanes, count, to);
}

/// Turns round the square of Lanes(d) vectors: lane j of vector i becomes lane i of vector j.
template <class D>
HWY_INLINE void transpose_lanes(D d, hn::Vec<D>* HWY_RESTRICT v) {
#if HWY_TARGET == HWY_SCALAR
  (void)d;
  (void)v;  // one lane
#else
  constexpr std::size_t kLanes = hn::MaxLanes(d);
  const hn::Repartition<double, D> pairs;
  // Squares of 4 by 4 within each block of 128 bits.
  HWY_UNROLL(4)
  for (std::size_t i = 0; i < kLanes; i += 4) {
    const auto low01 = hn::BitCast(pairs, hn::InterleaveLower(d, v[i], v[i + 1]));
    const auto low23 = hn::BitCast(pairs, hn::InterleaveLower(d, v[i + 2], v[i + 3]));
    const auto high01 = hn::BitCast(pairs, hn::InterleaveUpper(d, v[i], v[i + 1]));
    const auto high23 = hn::BitCast(pairs, hn::InterleaveUpper(d, v[i + 2], v[i + 3]));
    v[i] = hn::BitCast(d, hn::InterleaveLower(pairs, low01, low23));
    v[i + 1] = hn::BitCast(d, hn::InterleaveUpper(pairs, low01, low23));
    v[i + 2] = hn::BitCast(d, hn::InterleaveLower(pairs, high01, high23));
    v[i + 3] = hn::BitCast(d, hn::InterleaveUpper(pairs, high01, high23));
  }
  // Then the blocks.
  HWY_UNROLL(4)
  for (std::size_t i = 0; i < 4; ++i) {
    if constexpr (kLanes == 8) {
      const auto a = v[i];
      const auto b = v[i + 4];
      v[i] = hn::ConcatLowerLower(d, b, a);
      v[i + 4] = hn::ConcatUpperUpper(d, b, a);
    } else if constexpr (kLanes == 16) {
      const auto even_ab = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(v[i + 4]), v[i]);
      const auto odd_ab = hn::OddEvenBlocks(v[i + 4], hn::SwapAdjacentBlocks(v[i]));
      const auto even_cd = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(v[i + 12]), v[i + 8]);
      const auto odd_cd = hn::OddEvenBlocks(v[i + 12], hn::SwapAdjacentBlocks(v[i + 8]));
      v[i] = hn::ConcatLowerLower(d, even_cd, even_ab);
      v[i + 4] = hn::ConcatLowerLower(d, odd_cd, odd_ab);
      v[i + 8] = hn::ConcatUpperUpper(d, even_cd, even_ab);
      v[i + 12] = hn::ConcatUpperUpper(d, odd_cd, odd_ab);
    }
  }
#endif
}

/// to[c · to_stride + r] = from[r · from_stride + c] for r < rows, c < columns.
template <class In, class Out>
HWY_INLINE void transpose(In in, const typename In::Raw* from, std::size_t from_stride, std::size_t rows,
                          std::size_t columns, Out out, typename Out::Raw* to, std::size_t to_stride) {
  const hn::ScalableTag<float> d;
  constexpr std::size_t kLanes = hn::MaxLanes(d);
  for (std::size_t r = 0; r < rows; r += kLanes) {
    const std::size_t tile_rows = std::min(kLanes, rows - r);
    for (std::size_t c = 0; c < columns; c += kLanes) {
      const std::size_t tile_columns = std::min(kLanes, columns - c);
      hn::Vec<decltype(d)> tile[kLanes];
      const typename In::Raw* source = from + r * from_stride + c;
      typename Out::Raw* target = to + c * to_stride + r;
      if (tile_rows == kLanes && tile_columns == kLanes) {
        HWY_UNROLL(16)
        for (std::size_t i = 0; i < kLanes; ++i) tile[i] = load_floats(d, in, source + i * from_stride);
        transpose_lanes(d, tile);
        HWY_UNROLL(16)
        for (std::size_t i = 0; i < kLanes; ++i) store_floats(d, out, tile[i], target + i * to_stride);
      } else {
        for (std::size_t i = 0; i < kLanes; ++i) {
          tile[i] =
              i < tile_rows ? load_some_floats(d, in, source + i * from_stride, tile_columns) : hn::Zero(d);
        }
        transpose_lanes(d, tile);
        for (std::size_t i = 0; i < tile_columns; ++i)
          store_some_floats(d, out, tile[i], target + i * to_stride, tile_rows);
      }
    }
  }
}

}  // namespace tarmac::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

// Products of small dense matrices that stay in the caches. Included once for each instruction set, after
// <hwy/highway.h>.
#include <algorithm>
#include <cstddef>

#if defined(TARMAC_OPS_MATRIX_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TARMAC_OPS_MATRIX_INL_H
#undef TARMAC_OPS_MATRIX_INL_H
#else
#define TARMAC_OPS_MATRIX_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tarmac::ops::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Rows of A and C that one micro-kernel takes; multiply() wants whole ones.
inline constexpr std::size_t kMatrixRows = 6;
/// Vectors of a row of C that it takes: what the registers hold, with room for B's and one of A's.
#if HWY_TARGET == HWY_AVX3
inline constexpr std::size_t kMatrixVectors = 4;
#else
inline constexpr std::size_t kMatrixVectors = 2;
#endif

/// C[kMatrixRows][kVectors · lanes] += A · B, B in order of memory.
template <std::size_t kVectors>
HWY_INLINE void multiply_panel(const float* HWY_RESTRICT a, std::size_t a_stride, const float* HWY_RESTRICT b,
                               std::size_t depth, float* HWY_RESTRICT c, std::size_t c_stride) {
  const hn::ScalableTag<float> d;
  constexpr std::size_t kLanes = hn::MaxLanes(d);
  hn::Vec<decltype(d)> sum[kMatrixRows][kVectors];
  HWY_UNROLL(6)
  for (std::size_t r = 0; r < kMatrixRows; ++r) {
    HWY_UNROLL(4)
    for (std::size_t v = 0; v < kVectors; ++v) sum[r][v] = hn::Load(d, c + r * c_stride + v * kLanes);
  }
  for (std::size_t k = 0; k < depth; ++k) {
    hn::Vec<decltype(d)> row[kVectors];
    HWY_UNROLL(4)
    for (std::size_t v = 0; v < kVectors; ++v) row[v] = hn::Load(d, b + (k * kVectors + v) * kLanes);
    HWY_UNROLL(6)
    for (std::size_t r = 0; r < kMatrixRows; ++r) {
      const auto factor = hn::Set(d, a[r * a_stride + k]);
      HWY_UNROLL(4)
      for (std::size_t v = 0; v < kVectors; ++v) sum[r][v] = hn::MulAdd(factor, row[v], sum[r][v]);
    }
  }
  HWY_UNROLL(6)
  for (std::size_t r = 0; r < kMatrixRows; ++r) {
    HWY_UNROLL(4)
    for (std::size_t v = 0; v < kVectors; ++v) hn::Store(sum[r][v], d, c + r * c_stride + v * kLanes);
  }
}

/// Vectors of the panel that begins at vector `first` of a row of `vectors`.
inline std::size_t panel_vectors(std::size_t first, std::size_t vectors) {
  return std::min(kMatrixVectors, vectors - first);
}

/// C += A · B for A [rows][depth], C [rows][vectors · lanes] with aligned rows, and B in panels: for each
/// kMatrixVectors vectors of a row (fewer in the last panel) all depth rows of these. `rows` is a multiple of
/// kMatrixRows.
HWY_INLINE void multiply(const float* a, std::size_t a_stride, std::size_t rows, const float* b,
                         std::size_t depth, float* c, std::size_t c_stride, std::size_t vectors) {
  constexpr std::size_t kLanes = hn::MaxLanes(hn::ScalableTag<float>());
  for (std::size_t first = 0; first < vectors; first += kMatrixVectors) {
    const float* panel = b + first * kLanes * depth;
    const std::size_t width = panel_vectors(first, vectors);
    for (std::size_t r = 0; r < rows; r += kMatrixRows) {
      const float* from = a + r * a_stride;
      float* to = c + r * c_stride + first * kLanes;
      if (width == 1) multiply_panel<1>(from, a_stride, panel, depth, to, c_stride);
      if (width == 2) multiply_panel<2>(from, a_stride, panel, depth, to, c_stride);
      if constexpr (kMatrixVectors == 4) {
        if (width == 3) multiply_panel<3>(from, a_stride, panel, depth, to, c_stride);
        if (width == 4) multiply_panel<4>(from, a_stride, panel, depth, to, c_stride);
      }
    }
  }
}

}  // namespace tarmac::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#include "precision/gram.h"

#include <algorithm>
#include <array>

#include "ops/simd.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "precision/gram.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace tarmac::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr std::size_t kRows = 4;     // of gram, and
constexpr std::size_t kVectors = 4;  // vectors of each that are summed up in registers

/// gram[i][j …] for kTall rows i and kWide vectors from j on.
template <std::size_t kTall, std::size_t kWide>
HWY_INLINE void add_tile(const float* rows, std::size_t count, std::size_t stride, std::size_t columns,
                         std::size_t i, std::size_t j, float* gram) {
  const hn::ScalableTag<float> d;
  const std::size_t lanes = hn::Lanes(d);
  hn::Vec<decltype(d)> sum[kTall][kWide];
  for (std::size_t a = 0; a < kTall; ++a) {
    for (std::size_t v = 0; v < kWide; ++v)
      sum[a][v] = hn::LoadU(d, gram + (i + a) * columns + j + v * lanes);
  }
  for (std::size_t r = 0; r < count; ++r) {
    const float* row = rows + r * stride;
    hn::Vec<decltype(d)> right[kWide];
    for (std::size_t v = 0; v < kWide; ++v) right[v] = hn::LoadU(d, row + j + v * lanes);
    for (std::size_t a = 0; a < kTall; ++a) {
      const auto left = hn::Set(d, row[i + a]);
      for (std::size_t v = 0; v < kWide; ++v) sum[a][v] = hn::MulAdd(left, right[v], sum[a][v]);
    }
  }
  for (std::size_t a = 0; a < kTall; ++a) {
    for (std::size_t v = 0; v < kWide; ++v)
      hn::StoreU(sum[a][v], d, gram + (i + a) * columns + j + v * lanes);
  }
}

template <std::size_t kTall>
void add_rows(const float* rows, std::size_t count, std::size_t stride, std::size_t columns, std::size_t i,
              float* gram) {
  const std::size_t lanes = hn::Lanes(hn::ScalableTag<float>());
  std::size_t j = 0;
  for (; j + kVectors * lanes <= columns; j += kVectors * lanes)
    add_tile<kTall, kVectors>(rows, count, stride, columns, i, j, gram);
  for (; j + lanes <= columns; j += lanes) add_tile<kTall, 1>(rows, count, stride, columns, i, j, gram);
  for (; j < columns; ++j) {
    for (std::size_t a = 0; a < kTall; ++a) {
      float sum = 0;
      for (std::size_t r = 0; r < count; ++r) sum += rows[r * stride + i + a] * rows[r * stride + j];
      gram[(i + a) * columns + j] += sum;
    }
  }
}

void add_gram_vectors(const float* rows, std::size_t count, std::size_t stride, std::size_t columns,
                      float* gram) {
  std::size_t i = 0;
  for (; i + kRows <= columns; i += kRows) add_rows<kRows>(rows, count, stride, columns, i, gram);
  for (; i < columns; ++i) add_rows<1>(rows, count, stride, columns, i, gram);
}

}  // namespace
}  // namespace tarmac::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tarmac {

HWY_EXPORT(add_gram_vectors);

void add_gram(const float* rows, std::size_t count, std::size_t stride, std::size_t columns, float* gram) {
  HWY_DYNAMIC_DISPATCH(add_gram_vectors)(rows, count, stride, columns, gram);
}

}  // namespace tarmac
#endif

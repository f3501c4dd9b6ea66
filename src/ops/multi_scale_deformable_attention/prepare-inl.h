// From sampling locations and logits to corners and their weights, for the samples of several queries at
// once. Included once for each instruction set, after <hwy/highway.h>.
#include <hwy/contrib/math/math-inl.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>

#include "ops/floats-inl.h"
#include "ops/multi_scale_deformable_attention/cpu_plan.h"

#if defined(TARMAC_OPS_MSDA_PREPARE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TARMAC_OPS_MSDA_PREPARE_INL_H
#undef TARMAC_OPS_MSDA_PREPARE_INL_H
#else
#define TARMAC_OPS_MSDA_PREPARE_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tarmac::ops::msda::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using ops::HWY_NAMESPACE::load_floats;
using ops::HWY_NAMESPACE::with_float_type;

using Floats = hn::ScalableTag<float>;
using Ints = hn::RebindToSigned<Floats>;

/// As many elements as whole vectors of D take, from i on.
template <class D, class Type>
HWY_INLINE void copy_vectors(D d, Type type, const typename Type::Raw* from, std::size_t n, float* to,
                             std::size_t& i) {
  for (; i + hn::Lanes(d) <= n; i += hn::Lanes(d)) hn::StoreU(load_floats(d, type, from + i), d, to + i);
}

/// n elements as float32; reads nothing behind them.
template <class Type>
HWY_INLINE void copy_floats(Type type, const typename Type::Raw* from, std::size_t n, float* to) {
  std::size_t i = 0;
  copy_vectors(Floats(), type, from, n, to, i);
  copy_vectors(hn::CappedTag<float, 8>(), type, from, n, to, i);
  copy_vectors(hn::CappedTag<float, 4>(), type, from, n, to, i);
  copy_vectors(hn::CappedTag<float, 1>(), type, from, n, to, i);
}

HWY_INLINE void copy_floats(DType dtype, const std::byte* from, std::size_t n, float* to) {
  with_float_type(dtype, [&](auto type) HWY_ATTR {
    copy_floats(type, reinterpret_cast<const typename decltype(type)::Raw*>(from), n, to);
  });
}

/// Repeats a query's references for its samples.
HWY_INLINE void spread_references(const Strip<const std::byte>& references, std::int64_t q, std::size_t width,
                                  const Block& block, std::size_t samples, std::size_t at) {
  const auto* from = reinterpret_cast<const float*>(references.row(q));
  if (references.dtype != DType::kFloat32) {
    copy_floats(references.dtype, references.row(q),
                references.row_bytes * 8 / static_cast<std::size_t>(bit_width(references.dtype)),
                block.reference_row);
    from = block.reference_row;
  }
  constexpr std::size_t kPair = 2 * sizeof(float);
  for (std::size_t s = 0; s < samples; ++s) {
    const float* reference = from + block.reference_of[s] * width;
    std::memcpy(block.reference + 2 * (at + s), reference, kPair);
    if (width == 4) std::memcpy(block.reference_box + 2 * (at + s), reference + 2, kPair);
  }
}

/// Gathers what the inputs say of `count` queries (block.queries).
HWY_INLINE void read_block(const Head& head, std::size_t reference_width, const Block& block,
                           std::size_t samples, std::size_t count) {
  for (std::size_t j = 0; j < count; ++j) {
    const std::int64_t q = block.queries[j];
    const std::size_t at = j * samples;
    copy_floats(head.sampling.dtype, head.sampling.row(q), 2 * samples, block.sampling + 2 * at);
    copy_floats(head.weights.dtype, head.weights.row(q), samples, block.attention + at);
    if (reference_width != 0) spread_references(head.references, q, reference_width, block, samples, at);
  }
}

/// e^x; NaN stays NaN, which Highway's does not.
HWY_INLINE hn::Vec<Floats> exponential(hn::Vec<Floats> x) {
  return hn::IfThenElse(hn::IsNaN(x), x, hn::Exp(Floats(), x));
}

/// `combine` over each group of `size` neighbouring lanes, a power of two that divides the lanes, in all of
/// them.
template <class Combine>
HWY_INLINE hn::Vec<Floats> over_groups(hn::Vec<Floats> v, std::size_t size, Combine&& combine) {
  const Floats d;
  if (size >= 2) v = combine(v, hn::Reverse2(d, v));
  if (size >= 4) v = combine(v, hn::Reverse4(d, v));
  if (size >= 8) v = combine(v, hn::Reverse8(d, v));
  if (size >= 16) v = combine(v, hn::Reverse(d, v));
  return v;
}

/// Softmax in place of the logits where a vector holds those of one query or more.
HWY_INLINE void softmax_of_groups(std::size_t samples, float* logits, std::size_t total) {
  const Floats d;
  const auto larger = [](auto a, auto b) HWY_ATTR { return hn::Max(a, b); };
  const auto sum = [](auto a, auto b) HWY_ATTR { return hn::Add(a, b); };
  for (std::size_t i = 0; i < total; i += hn::Lanes(d)) {
    const auto logit = hn::LoadU(d, logits + i);
    const auto weight = exponential(hn::Sub(logit, over_groups(logit, samples, larger)));
    hn::StoreU(hn::Div(weight, over_groups(weight, samples, sum)), d, logits + i);
  }
}

/// Softmax in place of one query's logits, of any number.
HWY_INLINE void softmax_of_one(std::size_t samples, float* logits) {
  const Floats d;
  const std::size_t lanes = hn::Lanes(d);
  const auto lowest = hn::Set(d, -std::numeric_limits<float>::infinity());
  auto largest = lowest;
  for (std::size_t s = 0; s < samples; s += lanes) {
    const auto logit = hn::LoadU(d, logits + s);
    largest = hn::Max(largest, hn::IfThenElse(hn::FirstN(d, samples - s), logit, lowest));
  }
  largest = hn::MaxOfLanes(d, largest);
  auto sum = hn::Zero(d);
  for (std::size_t s = 0; s < samples; s += lanes) {
    const auto logit = hn::LoadU(d, logits + s);
    const auto ours = hn::FirstN(d, samples - s);
    const auto weight = exponential(hn::Sub(logit, largest));
    sum = hn::Add(sum, hn::IfThenElseZero(ours, weight));
    hn::StoreU(hn::IfThenElse(ours, weight, logit), d, logits + s);
  }
  const auto factor = hn::Div(hn::Set(d, 1.0F), hn::SumOfLanes(d, sum));
  for (std::size_t s = 0; s < samples; s += lanes) {
    const auto weight = hn::LoadU(d, logits + s);
    hn::StoreU(hn::IfThenElse(hn::FirstN(d, samples - s), hn::Mul(weight, factor), weight), d, logits + s);
  }
}

/// Softmax in place of the logits of `count` queries.
HWY_INLINE void softmax(std::size_t samples, float* logits, std::size_t count) {
  const std::size_t lanes = hn::Lanes(Floats());
  if (samples <= lanes && (samples & (samples - 1)) == 0) {
    softmax_of_groups(samples, logits, count * samples);
  } else {
    for (std::size_t j = 0; j < count; ++j) softmax_of_one(samples, logits + j * samples);
  }
}

/// Bit i of `bits` and the following ones; i is a multiple of the lanes.
template <class D, class M>
HWY_INLINE void store_bits(D d, M mask, std::uint8_t* bits, std::size_t i) {
  std::uint8_t bytes[8] = {};
  hn::StoreMaskBits(d, mask, bytes);
  if constexpr (HWY_LANES(float) >= 8) {
    std::memcpy(bits + i / 8, bytes, HWY_LANES(float) / 8);
  } else {
    const auto before = static_cast<unsigned>(i % 8 == 0 ? 0 : bits[i / 8]);
    bits[i / 8] = static_cast<std::uint8_t>(before | static_cast<unsigned>(bytes[0]) << (i % 8));
  }
}

struct Coordinates {
  hn::Vec<Floats> x;
  hn::Vec<Floats> y;
};

/// Locations of the samples i… in cells: (0, 0) is the centre of the first one.
HWY_INLINE Coordinates locate(const Problem& p, const Block& block, std::size_t i) {
  const Floats d;
  const auto half = hn::Set(d, 0.5F);
  const auto width = hn::LoadU(d, block.width + i);
  const auto height = hn::LoadU(d, block.height + i);
  hn::Vec<Floats> x;
  hn::Vec<Floats> y;
  hn::LoadInterleaved2(d, block.sampling + 2 * i, x, y);
  if (!p.reference.present()) return {hn::MulSub(x, width, half), hn::MulSub(y, height, half)};
  hn::Vec<Floats> left;
  hn::Vec<Floats> top;
  hn::LoadInterleaved2(d, block.reference + 2 * i, left, top);
  if (p.reference_width == 2)
    return {hn::MulAdd(left, width, hn::Sub(x, half)), hn::MulAdd(top, height, hn::Sub(y, half))};
  hn::Vec<Floats> w;
  hn::Vec<Floats> h;
  hn::LoadInterleaved2(d, block.reference_box + 2 * i, w, h);
  const auto share = hn::Set(d, 0.5F / static_cast<float>(p.points));
  return {hn::MulSub(hn::MulAdd(hn::Mul(x, share), w, left), width, half),
          hn::MulSub(hn::MulAdd(hn::Mul(y, share), h, top), height, half)};
}

/// Corners, weights and block.inside for `total` samples.
template <bool kPacked>
HWY_INLINE void find_corners(const Problem& p, const Block& block, std::size_t total,
                             std::int32_t cell_bytes) {
  const Floats d;
  const Ints di;
  const auto one = hn::Set(d, 1.0F);
  for (std::size_t i = 0; i < total; i += hn::Lanes(d)) {
    const Coordinates at = locate(p, block, i);
    const auto width = hn::LoadU(d, block.width + i);
    const auto height = hn::LoadU(d, block.height + i);
    const auto minus_one = hn::Neg(one);
    const auto inside = hn::And(hn::And(hn::Gt(at.x, minus_one), hn::Lt(at.x, width)),
                                hn::And(hn::Gt(at.y, minus_one), hn::Lt(at.y, height)));
    store_bits(d, inside, block.inside, i);
    const auto x = hn::IfThenElseZero(inside, at.x);
    const auto y = hn::IfThenElseZero(inside, at.y);
    const auto left = hn::Floor(x);
    const auto top = hn::Floor(y);
    const auto right_share = hn::Sub(x, left);
    const auto left_share = hn::Sub(one, right_share);
    const auto attention = hn::LoadU(d, block.attention + i);
    const auto lower = hn::Mul(attention, hn::Sub(y, top));
    const auto upper = hn::Mul(attention, hn::Sub(one, hn::Sub(y, top)));
    hn::StoreInterleaved4(hn::Mul(upper, left_share), hn::Mul(upper, right_share), hn::Mul(lower, left_share),
                          hn::Mul(lower, right_share), d, block.weights + 4 * i);

    const auto column = hn::ConvertTo(di, left);
    const auto row = hn::ConvertTo(di, top);
    const auto stride = hn::LoadU(di, block.stride + i);
    const auto start = hn::Add(hn::LoadU(di, block.base + i), hn::Mul(row, stride));
    if constexpr (kPacked) {
      const auto place = hn::Add(start, hn::Mul(column, hn::Set(di, cell_bytes)));
      hn::StoreInterleaved2(place, hn::Add(place, stride), di, block.places + 2 * i);
    } else {
      const auto outside = hn::Set(di, -1);
      const auto in_left = hn::Gt(column, outside);
      const auto in_right = hn::Lt(hn::Add(column, hn::Set(di, 1)), hn::ConvertTo(di, width));
      const auto in_upper = hn::Gt(row, outside);
      const auto in_lower = hn::Lt(hn::Add(row, hn::Set(di, 1)), hn::ConvertTo(di, height));
      const auto place = hn::Add(start, column);
      const auto next = hn::Add(place, hn::Set(di, 1));
      const auto upper_left = hn::IfThenElse(hn::And(in_upper, in_left), place, outside);
      const auto upper_right = hn::IfThenElse(hn::And(in_upper, in_right), next, outside);
      const auto lower_left = hn::IfThenElse(hn::And(in_lower, in_left), hn::Add(place, stride), outside);
      const auto lower_right = hn::IfThenElse(hn::And(in_lower, in_right), hn::Add(next, stride), outside);
      hn::StoreInterleaved4(upper_left, upper_right, lower_left, lower_right, di, block.places + 4 * i);
    }
  }
}

}  // namespace tarmac::ops::msda::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

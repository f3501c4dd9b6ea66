// Sums the corners of a query's samples. Included once for each instruction set, after <hwy/highway.h>.
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "ops/floats-inl.h"
#include "ops/multi_scale_deformable_attention/cpu_plan.h"

#if defined(TARMAC_OPS_MSDA_GATHER_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TARMAC_OPS_MSDA_GATHER_INL_H
#undef TARMAC_OPS_MSDA_GATHER_INL_H
#else
#define TARMAC_OPS_MSDA_GATHER_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tarmac::ops::msda::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using ops::HWY_NAMESPACE::BFloat16;
using ops::HWY_NAMESPACE::Float16;
using ops::HWY_NAMESPACE::Float32;
using ops::HWY_NAMESPACE::load_floats;
using ops::HWY_NAMESPACE::store_floats;

struct Int8 {
  using Raw = std::int8_t;
};

template <class D>
HWY_INLINE hn::Vec<D> load_floats(D d, Int8 /*type*/, const std::int8_t* from) {
  const hn::Rebind<std::int8_t, D> narrow;
  const hn::Rebind<std::int32_t, D> wide;
  return hn::ConvertTo(d, hn::PromoteTo(wide, hn::LoadU(narrow, from)));
}

/// Where the corners of sample i lie in a packed map.
struct PackedPlaces {
  const std::byte* map;
  std::size_t cell_bytes;

  HWY_INLINE void corners(const Block& block, std::size_t i, const std::byte** corner) const {
    corner[0] = map + block.places[2 * i];
    corner[1] = corner[0] + cell_bytes;
    corner[2] = map + block.places[2 * i + 1];
    corner[3] = corner[2] + cell_bytes;
  }
};

/// Cells of float32.
struct PackedFloats : PackedPlaces {
  static constexpr bool kInPairs = false;  ///< of vectors

  template <std::size_t kVectors, class D>
  HWY_INLINE void load(D d, const std::byte* cell, const std::size_t* first, hn::Vec<D>* v) const {
    for (std::size_t k = 0; k < kVectors; ++k)
      v[k] = hn::LoadU(d, reinterpret_cast<const float*>(cell) + first[k]);
  }
};

/// Cells of bfloat16, two vectors woven into one: the lower halves of its words are the first.
struct PackedPairs : PackedPlaces {
  static constexpr bool kInPairs = true;

  template <std::size_t kVectors, class D>
  HWY_INLINE void load(D d, const std::byte* cell, const std::size_t* first, hn::Vec<D>* v) const {
    const hn::RebindToUnsigned<D> words;
    for (std::size_t k = 0; k + 1 < kVectors; k += 2) {
      const auto both = hn::LoadU(words, reinterpret_cast<const std::uint32_t*>(cell) + first[k] / 2);
      v[k] = hn::BitCast(d, hn::ShiftLeft<16>(both));
      v[k + 1] = hn::BitCast(d, hn::And(both, hn::Set(words, 0xFFFF0000U)));
    }
  }
};

/// `value` as it lies.
template <class Type>
struct InPlace {
  static constexpr bool kInPairs = false;
  const std::byte* value;  ///< of this batch entry and head
  std::size_t row_bytes;

  HWY_INLINE void corners(const Block& block, std::size_t i, const std::byte** corner) const {
    for (std::size_t c = 0; c < 4; ++c) {
      const std::int32_t row = block.places[4 * i + c];
      corner[c] = row < 0 ? block.zeros : value + static_cast<std::size_t>(row) * row_bytes;
    }
  }
  template <std::size_t kVectors, class D>
  HWY_INLINE void load(D d, const std::byte* cell, const std::size_t* first, hn::Vec<D>* v) const {
    for (std::size_t k = 0; k < kVectors; ++k)
      v[k] = load_floats(d, Type(), reinterpret_cast<const typename Type::Raw*>(cell) + first[k]);
  }
};

/// Where a query's result goes, and what it is multiplied by.
struct Destination {
  DType dtype;
  std::byte* row;
  const float* scale;  ///< for each channel; null: none
};

template <class D>
HWY_INLINE void store_result(D d, const Destination& to, std::size_t at, hn::Vec<D> sum) {
  if (to.scale != nullptr) sum = hn::Mul(sum, hn::LoadU(d, to.scale + at));
  if (to.dtype == DType::kFloat32) {
    store_floats(d, Float32(), sum, reinterpret_cast<float*>(to.row) + at);
  } else if (to.dtype == DType::kFloat16) {
    store_floats(d, Float16(), sum, reinterpret_cast<std::uint16_t*>(to.row) + at);
  } else {
    store_floats(d, BFloat16(), sum, reinterpret_cast<std::uint16_t*>(to.row) + at);
  }
}

constexpr std::size_t kBits = 56;  // of a word that begins within a byte

/// Which of up to kBits samples from `begin` on are inside, the first one lowest.
HWY_INLINE std::uint64_t inside_bits(const Block& block, std::size_t begin, std::size_t end) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, block.inside + begin / 8, sizeof bits);
  return bits >> (begin % 8) & (~std::uint64_t{0} >> (64 - std::min(kBits, end - begin)));
}

/// Channels first[0…], of kVectors vectors, over the samples [begin, end) that are inside.
template <std::size_t kVectors, class D, class Source>
HWY_INLINE void sum_vectors(D d, const Source& source, const Block& block, std::size_t begin, std::size_t end,
                            const std::size_t* first, const Destination& to) {
  // A sum of its own for each corner hides the additions' latency, as far as registers go.
  constexpr std::size_t kSums = kVectors >= 4 ? 2 : 4;
  hn::Vec<D> sum[kSums][kVectors];
  for (auto& sums : sum)
    for (auto& one : sums) one = hn::Zero(d);
  for (std::size_t piece = begin; piece < end; piece += kBits) {
    for (std::uint64_t bits = inside_bits(block, piece, end); bits != 0; bits &= bits - 1) {
      const std::size_t i = piece + static_cast<std::size_t>(__builtin_ctzll(bits));
      const std::byte* corner[4];
      source.corners(block, i, corner);
      for (std::size_t c = 0; c < 4; ++c) {
        const auto weight = hn::Set(d, block.weights[4 * i + c]);
        hn::Vec<D> v[kVectors];
        source.template load<kVectors>(d, corner[c], first, v);
        for (std::size_t k = 0; k < kVectors; ++k)
          sum[c % kSums][k] = hn::MulAdd(weight, v[k], sum[c % kSums][k]);
      }
    }
  }
  for (std::size_t k = 0; k < kVectors; ++k) {
    auto total = hn::Add(sum[0][k], sum[1][k]);
    if constexpr (kSums == 4) total = hn::Add(total, hn::Add(sum[2][k], sum[3][k]));
    store_result(d, to, first[k], total);
  }
}

/// All channels of one query. The last vector overlaps the one before where the lanes do not divide them.
template <class D, class Source>
HWY_INLINE void sum_query(D d, const Source& source, const Block& block, std::size_t begin, std::size_t end,
                          std::size_t depth, const Destination& to) {
  const std::size_t lanes = hn::Lanes(d);
  const std::size_t vectors = (depth + lanes - 1) / lanes;
  for (std::size_t v = 0; v < vectors;) {
    std::size_t first[4];
    for (std::size_t k = 0; k < 4; ++k) first[k] = std::min((v + k) * lanes, depth - lanes);
    if (vectors - v >= 4) {
      sum_vectors<4>(d, source, block, begin, end, first, to);
      v += 4;
    } else if (Source::kInPairs || vectors - v >= 2) {
      sum_vectors<2>(d, source, block, begin, end, first, to);
      v += 2;
    } else if constexpr (!Source::kInPairs) {
      sum_vectors<1>(d, source, block, begin, end, first, to);
      v += 1;
    }
  }
}

}  // namespace tarmac::ops::msda::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

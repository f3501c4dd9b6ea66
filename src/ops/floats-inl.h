// Vectors of float from and to storage in float32, float16 or bfloat16. Included once for each instruction
// set, after <hwy/highway.h>.
#include <cstdint>

#include "tensor/codec.h"

#if defined(TARMAC_OPS_FLOATS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TARMAC_OPS_FLOATS_INL_H
#undef TARMAC_OPS_FLOATS_INL_H
#else
#define TARMAC_OPS_FLOATS_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tarmac::ops::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// How an element is stored; `Raw` is what a tensor view gives.
struct Float32 {
  using Raw = float;
};
struct Float16 {
  using Raw = std::uint16_t;
};
struct BFloat16 {
  using Raw = std::uint16_t;
};

/// Lanes(d) elements, not aligned.
template <class D>
HWY_INLINE hn::Vec<D> load_floats(D d, Float32 /*type*/, const float* from) {
  return hn::LoadU(d, from);
}

template <class D>
HWY_INLINE void store_floats(D d, Float32 /*type*/, hn::Vec<D> v, float* to) {
  hn::StoreU(v, d, to);
}

#if HWY_TARGET == HWY_SCALAR  // one lane, and no conversions that keep infinity and NaN

template <class D>
HWY_INLINE hn::Vec<D> load_floats(D d, Float16 /*type*/, const std::uint16_t* from) {
  return hn::Set(d, half_to_float(*from));
}

template <class D>
HWY_INLINE hn::Vec<D> load_floats(D d, BFloat16 /*type*/, const std::uint16_t* from) {
  return hn::Set(d, bfloat16_to_float(*from));
}

template <class D>
HWY_INLINE void store_floats(D /*d*/, Float16 /*type*/, hn::Vec<D> v, std::uint16_t* to) {
  *to = float_to_half(hn::GetLane(v));
}

template <class D>
HWY_INLINE void store_floats(D /*d*/, BFloat16 /*type*/, hn::Vec<D> v, std::uint16_t* to) {
  *to = float_to_bfloat16(hn::GetLane(v));
}

#else

template <class D>
HWY_INLINE hn::Vec<D> load_floats(D d, Float16 /*type*/, const std::uint16_t* from) {
  const hn::Rebind<std::uint16_t, D> bits;
  const hn::Rebind<hwy::float16_t, D> half;
  return hn::PromoteTo(d, hn::BitCast(half, hn::LoadU(bits, from)));
}

template <class D>
HWY_INLINE hn::Vec<D> load_floats(D d, BFloat16 /*type*/, const std::uint16_t* from) {
  const hn::Rebind<std::uint16_t, D> bits;
  const hn::Rebind<std::uint32_t, D> wide;
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(wide, hn::LoadU(bits, from))));
}

template <class D>
HWY_INLINE void store_floats(D /*d*/, Float16 /*type*/, hn::Vec<D> v, std::uint16_t* to) {
  const hn::Rebind<std::uint16_t, D> bits;
  const hn::Rebind<hwy::float16_t, D> half;
  hn::StoreU(hn::BitCast(bits, hn::DemoteTo(half, v)), bits, to);
}

/// Rounds to nearest even and keeps NaN, which Highway's own conversion does not.
template <class D>
HWY_INLINE void store_floats(D /*d*/, BFloat16 /*type*/, hn::Vec<D> v, std::uint16_t* to) {
  const hn::Rebind<std::uint16_t, D> bits;
  const hn::Rebind<std::uint32_t, D> wide;
  const hn::Rebind<std::int32_t, D> integer;
  const auto u = hn::BitCast(wide, v);
  const auto odd = hn::And(hn::ShiftRight<16>(u), hn::Set(wide, 1));
  const auto rounded = hn::ShiftRight<16>(hn::Add(hn::Add(u, hn::Set(wide, 0x7fff)), odd));
  const auto quiet = hn::Or(hn::ShiftRight<16>(u), hn::Set(wide, 0x40));
  const auto chosen = hn::IfThenElse(hn::RebindMask(wide, hn::IsNaN(v)), quiet, rounded);
  hn::StoreU(hn::DemoteTo(bits, hn::BitCast(integer, chosen)), bits, to);
}

#endif

/// Calls `body` with the type of storage of a floating-point dtype.
template <class Body>
HWY_INLINE void with_float_type(DType dtype, Body&& body) {
  if (dtype == DType::kFloat32) body(Float32());
  if (dtype == DType::kFloat16) body(Float16());
  if (dtype == DType::kBFloat16) body(BFloat16());
}

}  // namespace tarmac::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

// Writing past the caches, for results that would not stay in them. Included once for each instruction set,
// after <hwy/highway.h>.
#include <hwy/cache_control.h>

#include <cstdint>

#if defined(TARMAC_OPS_STREAM_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TARMAC_OPS_STREAM_INL_H
#undef TARMAC_OPS_STREAM_INL_H
#else
#define TARMAC_OPS_STREAM_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tarmac::ops::HWY_NAMESPACE {

/// Copies `count` elements of 2 or 4 bytes; the caller ends a series with hwy::FlushStream(), before another
/// thread reads what was written.
template <class T>
HWY_INLINE void stream(const T* from, std::int64_t count, T* to) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto misaligned = static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(to) / sizeof(T)) % lanes;
  std::int64_t i = 0;
  for (; i < count && (misaligned + i) % lanes != 0; ++i) to[i] = from[i];
  for (; i + lanes <= count; i += lanes) hn::Stream(hn::LoadU(d, from + i), d, to + i);
  for (; i < count; ++i) to[i] = from[i];
}

}  // namespace tarmac::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

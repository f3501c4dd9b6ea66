#include "ops/limits_simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/limits_simd.cpp"
#include "ops/simd.h"
// After the instruction sets are chosen.
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace tarmac::bench::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

void add_all(const float* a, float* b, std::size_t count) {
  const hn::ScalableTag<float> d;
  for (std::size_t i = 0; i + hn::Lanes(d) <= count; i += hn::Lanes(d))
    hn::StoreU(hn::Add(hn::LoadU(d, a + i), hn::LoadU(d, b + i)), d, b + i);
}

std::size_t multiply_and_add(int rounds, float* result) {
  const hn::ScalableTag<float> d;
  const auto factor = hn::Set(d, 0.999F);
  auto a = hn::Zero(d);
  auto b = a;
  auto c = a;
  auto e = a;
  auto f = a;
  auto g = a;
  auto h = a;
  auto k = a;
  for (int r = 0; r < rounds; ++r) {
    a = hn::MulAdd(a, factor, factor);
    b = hn::MulAdd(b, factor, factor);
    c = hn::MulAdd(c, factor, factor);
    e = hn::MulAdd(e, factor, factor);
    f = hn::MulAdd(f, factor, factor);
    g = hn::MulAdd(g, factor, factor);
    h = hn::MulAdd(h, factor, factor);
    k = hn::MulAdd(k, factor, factor);
  }
  const auto sum = hn::Add(hn::Add(hn::Add(a, b), hn::Add(c, e)), hn::Add(hn::Add(f, g), hn::Add(h, k)));
  *result = hn::GetLane(sum);
  return hn::Lanes(d);
}

}  // namespace tarmac::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tarmac::bench {

HWY_EXPORT(add_all);
HWY_EXPORT(multiply_and_add);

void add_streams(const float* a, float* b, std::size_t count) { HWY_DYNAMIC_DISPATCH(add_all)(a, b, count); }

std::size_t multiply_add(int rounds, float* result) {
  return HWY_DYNAMIC_DISPATCH(multiply_and_add)(rounds, result);
}

}  // namespace tarmac::bench
#endif

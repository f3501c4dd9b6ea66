#include "ops/camera_preprocess/fused_rows.h"

#include <algorithm>
#include <cstring>

#include "ops/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/camera_preprocess/fused_rows.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace tarmac::ops::camera::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr int kBlock = CameraMap::kBlock;
constexpr int kFraction = CameraMap::kFractionBits;
constexpr int kAhead = 8;  // blocks between a prefetch and its use

using F = hn::CappedTag<float, kBlock>;
using I = hn::RebindToSigned<F>;
using VF = hn::Vec<F>;
using VI = hn::Vec<I>;

/// Four bytes from each offset on, at any alignment.
HWY_INLINE VI four_bytes(const std::uint8_t* base, VI offsets) {
  const I i;
#if HWY_TARGET == HWY_SCALAR
  std::int32_t bytes = 0;
  std::memcpy(&bytes, base + hn::GetLane(offsets), sizeof(bytes));
  return hn::Set(i, bytes);
#else
  return hn::GatherOffset(i, reinterpret_cast<const std::int32_t*>(base), offsets);
#endif
}

/// Byte kByte of each lane.
template <int kByte>
HWY_INLINE VF byte_of(VI word) {
  const VI low = hn::And(hn::ShiftRight<8 * kByte>(word), hn::Set(I(), 255));
  return hn::ConvertTo(F(), low);
}

HWY_INLINE VF mix(VF a, VF b, VF share) { return hn::MulAdd(share, hn::Sub(b, a), a); }

struct Place {
  VI x;   ///< of the left neighbours
  VI y;   ///< of the upper ones
  VF fx;  ///< share of the right ones
  VF fy;  ///< share of the lower ones
};

struct Values {
  VF a;
  VF b;
  VF c;
};

/// Interleaved channels of three bytes: the two neighbours of a row are six bytes in a run.
HWY_INLINE Values sample_packed(const FrameView& frame, const Place& at) {
  const I i;
  const VI row = hn::Set(i, static_cast<std::int32_t>(frame.row_bytes));
  const VI top = hn::Add(hn::Mul(at.y, row), hn::Add(at.x, hn::Add(at.x, at.x)));
  const VI bottom = hn::Add(top, row);
  const VI two = hn::Set(i, 2);
  const VI t0 = four_bytes(frame.data, top);
  const VI t1 = four_bytes(frame.data, hn::Add(top, two));
  const VI b0 = four_bytes(frame.data, bottom);
  const VI b1 = four_bytes(frame.data, hn::Add(bottom, two));
  return {mix(mix(byte_of<0>(t0), byte_of<3>(t0), at.fx), mix(byte_of<0>(b0), byte_of<3>(b0), at.fx), at.fy),
          mix(mix(byte_of<1>(t0), byte_of<2>(t1), at.fx), mix(byte_of<1>(b0), byte_of<2>(b1), at.fx), at.fy),
          mix(mix(byte_of<2>(t0), byte_of<3>(t1), at.fx), mix(byte_of<2>(b0), byte_of<3>(b1), at.fx), at.fy)};
}

/// A U V pair holds for two columns: between them only an odd left neighbour has another one to its right.
HWY_INLINE VF chroma_share(const Place& at) {
  return hn::Mul(at.fx, hn::ConvertTo(F(), hn::And(at.x, hn::Set(I(), 1))));
}

/// The four words from which an NV12 pixel is made.
struct Nv12Words {
  VI y_top;      ///< Y of the upper left and right neighbours, in bytes 0 and 1
  VI y_bottom;   ///< of the lower ones
  VI uv_top;     ///< U V of the upper left one's pair and of the next pair
  VI uv_bottom;  ///< of the lower one's
};

HWY_INLINE Nv12Words gather_nv12(const FrameView& frame, const Place& at) {
  const I i;
  const VI row = hn::Set(i, static_cast<std::int32_t>(frame.row_bytes));
  const VI top = hn::Add(hn::Mul(at.y, row), at.x);
  const VI one = hn::Set(i, 1);
  const VI chroma_row = hn::Set(i, static_cast<std::int32_t>(frame.chroma_row_bytes));
  const VI column = hn::AndNot(one, at.x);
  const VI upper = hn::ShiftRight<1>(at.y);
  const VI lower = hn::ShiftRight<1>(hn::Add(at.y, one));
  return {four_bytes(frame.data, top), four_bytes(frame.data, hn::Add(top, row)),
          four_bytes(frame.chroma, hn::Add(hn::Mul(upper, chroma_row), column)),
          four_bytes(frame.chroma, hn::Add(hn::Mul(lower, chroma_row), column))};
}

#if HWY_TARGET <= HWY_AVX2

/// 16 bytes from address(g) on for each group g of four lanes.
template <typename Address>
HWY_INLINE VI runs_of_bytes(const Address& address) {
  const hn::FixedTag<std::uint8_t, 16> d16;
  const hn::FixedTag<std::uint8_t, 32> d32;
  const auto low = hn::Combine(d32, hn::LoadU(d16, address(1)), hn::LoadU(d16, address(0)));
#if HWY_TARGET == HWY_AVX2
  return hn::BitCast(I(), low);
#else
  const auto high = hn::Combine(d32, hn::LoadU(d16, address(3)), hn::LoadU(d16, address(2)));
  return hn::BitCast(I(), hn::Combine(hn::FixedTag<std::uint8_t, 64>(), high, low));
#endif
}

/// Bytes `from` + 0, 1, 2, 3 of its group's run, for each lane.
HWY_INLINE VI pick_bytes(VI runs, VI from) {
  const I i;
  return hn::TableLookupBytes(runs, hn::Add(hn::Mul(from, hn::Set(i, 0x01010101)), hn::Set(i, 0x03020100)));
}

/// gather_nv12() for BlockKind::kRuns: loads and shuffles, several times as fast as gathers. `xs`, `ys`
/// (null: all have y): positions of the lanes.
HWY_INLINE Nv12Words pick_nv12(const FrameView& frame, const Place& at, const std::int32_t* xs,
                               const std::int32_t* ys, std::int32_t y) {
  constexpr std::size_t kGroups = hn::MaxLanes(I()) / 4;
  const std::uint8_t* top[kGroups];
  const std::uint8_t* upper[kGroups];
  const std::uint8_t* lower[kGroups];
  for (std::size_t g = 0; g < kGroups; ++g) {
    const std::ptrdiff_t column = (xs[4 * g] >> kFraction) & ~1;
    const auto row = static_cast<std::size_t>((ys != nullptr ? ys[4 * g] : y) >> kFraction);
    top[g] = frame.data + row * frame.row_bytes + column;
    upper[g] = frame.chroma + row / 2 * frame.chroma_row_bytes + column;
    lower[g] = frame.chroma + (row + 1) / 2 * frame.chroma_row_bytes + column;
  }
  const VI even = hn::AndNot(hn::Set(I(), 1), at.x);
  const VI first = hn::Broadcast<0>(even);
  const VI luma = hn::Sub(at.x, first);
  const VI chroma = hn::Sub(even, first);
  return {pick_bytes(runs_of_bytes([&](std::size_t g) { return top[g]; }), luma),
          pick_bytes(runs_of_bytes([&](std::size_t g) { return top[g] + frame.row_bytes; }), luma),
          pick_bytes(runs_of_bytes([&](std::size_t g) { return upper[g]; }), chroma),
          pick_bytes(runs_of_bytes([&](std::size_t g) { return lower[g]; }), chroma)};
}

#endif

HWY_INLINE Values values_of(const Nv12Words& words, const Place& at) {
  const auto& [t, b, uv_t, uv_b] = words;
  const VF share = chroma_share(at);
  return {mix(mix(byte_of<0>(t), byte_of<1>(t), at.fx), mix(byte_of<0>(b), byte_of<1>(b), at.fx), at.fy),
          mix(mix(byte_of<0>(uv_t), byte_of<2>(uv_t), share), mix(byte_of<0>(uv_b), byte_of<2>(uv_b), share),
              at.fy),
          mix(mix(byte_of<1>(uv_t), byte_of<3>(uv_t), share), mix(byte_of<1>(uv_b), byte_of<3>(uv_b), share),
              at.fy)};
}

/// The pair of the left neighbour, and the one after it, which only an odd left neighbour needs.
struct YuyvRow {
  VF y;
  VF u;
  VF v;
};

HWY_INLINE YuyvRow sample_yuyv_row(const FrameView& frame, const Place& at, VF share, VI offset) {
  const I i;
  const VI one = hn::Set(i, 1);
  const VI pair = four_bytes(frame.data, offset);
  const VI next = four_bytes(frame.data, hn::Add(offset, hn::Set(i, 4)));
  const auto odd = hn::RebindMask(F(), hn::Eq(hn::And(at.x, one), one));
  const VF left = hn::IfThenElse(odd, byte_of<2>(pair), byte_of<0>(pair));
  const VF right = hn::IfThenElse(odd, byte_of<0>(next), byte_of<2>(pair));
  return {mix(left, right, at.fx), mix(byte_of<1>(pair), byte_of<1>(next), share),
          mix(byte_of<3>(pair), byte_of<3>(next), share)};
}

HWY_INLINE Values sample_yuyv(const FrameView& frame, const Place& at) {
  const I i;
  const VI row = hn::Set(i, static_cast<std::int32_t>(frame.row_bytes));
  const VI even = hn::AndNot(hn::Set(i, 1), at.x);
  const VI top = hn::Add(hn::Mul(at.y, row), hn::Add(even, even));
  const VF share = chroma_share(at);
  const YuyvRow t = sample_yuyv_row(frame, at, share, top);
  const YuyvRow b = sample_yuyv_row(frame, at, share, hn::Add(top, row));
  return {mix(t.y, b.y, at.fy), mix(t.u, b.u, at.fy), mix(t.v, b.v, at.fy)};
}

template <PixelFormat kFormat>
HWY_INLINE Values sample(const FrameView& frame, const Place& at) {
  if constexpr (kFormat == PixelFormat::kNv12) {
    return values_of(gather_nv12(frame, at), at);
  } else if constexpr (kFormat == PixelFormat::kYuyv) {
    return sample_yuyv(frame, at);
  } else {
    return sample_packed(frame, at);
  }
}

HWY_INLINE Place place_of(VI x, VI y) {
  const I i;
  const F f;
  const VI mask = hn::Set(i, (1 << kFraction) - 1);
  const VF unit = hn::Set(f, 1.0F / (1 << kFraction));
  return {hn::ShiftRight<kFraction>(x), hn::ShiftRight<kFraction>(y),
          hn::Mul(hn::ConvertTo(f, hn::And(x, mask)), unit),
          hn::Mul(hn::ConvertTo(f, hn::And(y, mask)), unit)};
}

HWY_INLINE void store_colors(const ColorTransform& color, Values v, float* const* to) {
  const F f;
  v.a = hn::Max(v.a, hn::Set(f, color.floor));
  for (std::size_t c = 0; c < static_cast<std::size_t>(color.channels); ++c) {
    const auto& row = color.matrix[c];
    VF value = hn::MulAdd(hn::Set(f, row[0]), v.a, hn::Set(f, color.offset[c]));
    value = hn::MulAdd(hn::Set(f, row[1]), v.b, value);
    value = hn::MulAdd(hn::Set(f, row[2]), v.c, value);
    value = hn::Clamp(value, hn::Zero(f), hn::Set(f, 255.0F));
    hn::StoreU(hn::MulAdd(value, hn::Set(f, color.gain[c]), hn::Set(f, color.bias[c])), f, to[c]);
  }
}

template <PixelFormat kFormat>
HWY_INLINE void sample_block(const RowJob& job, std::ptrdiff_t first, BlockKind kind, float* const* to) {
  const I i;
  const F f;
  constexpr auto kLanes = static_cast<std::ptrdiff_t>(hn::MaxLanes(F()));
  const std::int32_t* ys = job.ys != nullptr ? job.ys + first : nullptr;
  alignas(64) float mixed[3][kBlock];
  if (kind == BlockKind::kMixed) sample_mixed(*job.frame, *job.color, job.x + first, ys, job.y, mixed);
  for (std::ptrdiff_t lane = 0; lane < kBlock; lane += kLanes) {
    Values values;
    if (kind == BlockKind::kInside || kind == BlockKind::kRuns) {
      const VI y = ys != nullptr ? hn::LoadU(i, ys + lane) : hn::Set(i, job.y);
      const Place at = place_of(hn::LoadU(i, job.x + first + lane), y);
#if HWY_TARGET <= HWY_AVX2
      if (kFormat == PixelFormat::kNv12 && kind == BlockKind::kRuns) {
        const std::int32_t* const lane_ys = ys != nullptr ? ys + lane : nullptr;
        values = values_of(pick_nv12(*job.frame, at, job.x + first + lane, lane_ys, job.y), at);
      } else
#endif
      {
        values = sample<kFormat>(*job.frame, at);
      }
    } else if (kind == BlockKind::kMixed) {
      values = {hn::Load(f, mixed[0] + lane), hn::Load(f, mixed[1] + lane), hn::Load(f, mixed[2] + lane)};
    } else {
      const auto& border = job.color->border;
      values = {hn::Set(f, border[0]), hn::Set(f, border[1]), hn::Set(f, border[2])};
    }
    float* const at[3] = {to[0] + lane, to[1] + lane, to[2] + lane};
    store_colors(*job.color, values, at);
  }
}

/// Where a lens bends rows, the processor does not guess what comes next.
HWY_INLINE void prefetch_pixel(const FrameView& frame, std::int32_t x, std::int32_t y) {
  const auto column = static_cast<std::size_t>(x >> kFraction);
  const auto row = static_cast<std::size_t>(y >> kFraction);
  const std::uint8_t* at = frame.data + row * frame.row_bytes + row_bytes_of(frame.format, 1) * column;
  hwy::Prefetch(at);
  hwy::Prefetch(at + frame.row_bytes);
  if (frame.format == PixelFormat::kNv12)
    hwy::Prefetch(frame.chroma + row / 2 * frame.chroma_row_bytes + column);
}

template <PixelFormat kFormat>
void sample_row_as(const RowJob& job) {
  const int whole = job.width / kBlock;
  for (int block = 0; block < whole; ++block) {
    const std::ptrdiff_t first = std::ptrdiff_t{block} * kBlock;
    if (job.ys != nullptr && block + kAhead < whole && job.kinds[block + kAhead] <= BlockKind::kInside) {
      const std::ptrdiff_t next = first + kAhead * kBlock;
      prefetch_pixel(*job.frame, job.x[next], job.ys[next]);
    }
    float* const to[3] = {job.to[0] + first, job.to[1] + first, job.to[2] + first};
    sample_block<kFormat>(job, first, job.kinds[block], to);
  }
  const auto rest = static_cast<unsigned>(job.width) % kBlock;
  if (rest == 0) return;
  alignas(64) float last[3][kBlock];
  float* const to[3] = {last[0], last[1], last[2]};
  const std::ptrdiff_t first = std::ptrdiff_t{whole} * kBlock;
  sample_block<kFormat>(job, first, job.kinds[whole], to);
  for (std::size_t c = 0; c < static_cast<std::size_t>(job.color->channels); ++c) {
    for (unsigned x = 0; x < rest; ++x) job.to[c][first + x] = last[c][x];
  }
}

void sample_row(const RowJob& job) {
  switch (job.frame->format) {
    case PixelFormat::kNv12:
      return sample_row_as<PixelFormat::kNv12>(job);
    case PixelFormat::kYuyv:
      return sample_row_as<PixelFormat::kYuyv>(job);
    case PixelFormat::kRgb:
    case PixelFormat::kBgr:
      return sample_row_as<PixelFormat::kBgr>(job);
  }
}

HWY_INLINE void convert(VF value, std::int32_t zero_point, float* to) {
  (void)zero_point;
  hn::StoreU(value, F(), to);
}

HWY_INLINE void convert(VF value, std::int32_t zero_point, hwy::float16_t* to) {
  (void)zero_point;
  const hn::Rebind<hwy::float16_t, F> narrow;
  hn::StoreU(hn::DemoteTo(narrow, value), narrow, to);
}

template <typename T>
HWY_INLINE void convert(VF value, std::int32_t zero_point, T* to) {
  const hn::Rebind<T, F> narrow;
  // Far values would not fit the integers on the way.
  const VF near = hn::Clamp(value, hn::Set(F(), -1024.0F), hn::Set(F(), 1024.0F));
  hn::StoreU(hn::DemoteTo(narrow, hn::Add(hn::NearestInt(near), hn::Set(I(), zero_point))), narrow, to);
}

template <typename T>
void convert_row(const float* from, int width, std::int32_t zero_point, T* to) {
  constexpr auto kLanes = static_cast<int>(hn::MaxLanes(F()));
  const F f;
  int x = 0;
  for (; x + kLanes <= width; x += kLanes) convert(hn::LoadU(f, from + x), zero_point, to + x);
  if constexpr (kLanes > 1) {
    float rest[kLanes] = {};
    T narrow[kLanes];
    const int left = width - x;
    for (int i = 0; i < left; ++i) rest[i] = from[x + i];
    convert(hn::LoadU(f, rest), zero_point, narrow);
    for (int i = 0; i < left; ++i) to[x + i] = narrow[i];
  }
}

/// Three planes into pixels.
template <typename T>
void interleave(const T* a, const T* b, const T* c, int width, T* to) {
  using Bits = hwy::MakeUnsigned<T>;
  const auto* const from_a = reinterpret_cast<const Bits*>(a);
  const auto* const from_b = reinterpret_cast<const Bits*>(b);
  const auto* const from_c = reinterpret_cast<const Bits*>(c);
  auto* const pixels = reinterpret_cast<Bits*>(to);
  int x = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::ScalableTag<Bits> d;
  constexpr auto kLanes = static_cast<int>(hn::MaxLanes(hn::ScalableTag<Bits>()));
  for (; x + kLanes <= width; x += kLanes) {
    hn::StoreInterleaved3(hn::LoadU(d, from_a + x), hn::LoadU(d, from_b + x), hn::LoadU(d, from_c + x), d,
                          pixels + std::ptrdiff_t{3} * x);
  }
#endif
  for (; x < width; ++x) {
    Bits* const pixel = pixels + std::ptrdiff_t{3} * x;
    pixel[0] = from_a[x];
    pixel[1] = from_b[x];
    pixel[2] = from_c[x];
  }
}

template <typename T>
void store_row_as(const StoreJob& job) {
  const bool pixels = job.layout == Layout::kNHWC && job.channels == 3;
  T* planes[3] = {};
  for (int c = 0; c < job.channels; ++c) {
    planes[c] = pixels ? reinterpret_cast<T*>(job.rounded) + std::ptrdiff_t{c} * job.width
                       : reinterpret_cast<T*>(job.planes[c]);
    convert_row(job.from[c], job.width, job.zero_point, planes[c]);
  }
  if (pixels) interleave(planes[0], planes[1], planes[2], job.width, reinterpret_cast<T*>(job.planes[0]));
}

void store_row(const StoreJob& job) {
  switch (job.dtype) {
    case DType::kFloat16:
      return store_row_as<hwy::float16_t>(job);
    case DType::kInt8:
      return store_row_as<std::int8_t>(job);
    case DType::kUint8:
      return store_row_as<std::uint8_t>(job);
    default:
      return store_row_as<float>(job);
  }
}

}  // namespace
}  // namespace tarmac::ops::camera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tarmac::ops::camera {

HWY_EXPORT(sample_row);
HWY_EXPORT(store_row);

void sample_row(const RowJob& job) { HWY_DYNAMIC_DISPATCH(sample_row)(job); }
void store_row(const StoreJob& job) { HWY_DYNAMIC_DISPATCH(store_row)(job); }

}  // namespace tarmac::ops::camera
#endif  // HWY_ONCE

// Boxes are taken by falling score in blocks. Within a block each box that is still alive is kept and tried
// on those behind it; then the block's kept boxes are tried on all later ones, on several threads where that
// is much. Trying is cheap first: an upper bound of the IoU from the boxes' upright frames, on a vector of
// boxes at once, then the overlap in float32 for those that pass. Its error is bounded; what is too close to
// the threshold is decided by the same double computation as the reference's, so that both always agree.
#include "ops/rotated_nms/operator.h"

#include <cmath>

#include "ops/nms_candidates.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/rotated_nms/cpu.cpp"
#include "ops/simd.h"

#include <hwy/foreach_target.h>  // after simd.h, before highway.h

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#ifndef TARMAC_OPS_ROTATED_NMS_CPU
#define TARMAC_OPS_ROTATED_NMS_CPU
namespace tarmac::ops::rotated_nms_kernels {

/// Candidates seen from above, one array a number, with room for a vector behind the last.
struct Boxes {
  float *x, *y, *half_dx, *half_dy, *yaw, *cosine, *sine;
  float *extent_x, *extent_y;  ///< half sizes of the upright frame, a little more
  float* area;
  std::uint8_t* dead;
  static constexpr std::size_t kFloats = 10;
};

/// Too close to the threshold for float32.
struct Arbiter {
  const nms::Problem& problem;
  const nms::Candidates& candidates;
  std::int64_t b;
  float threshold;
  [[nodiscard]] bool suppresses(std::uint32_t kept, std::uint32_t other) const {
    return rotated_iou(box_at(problem, b, candidates.row_at(kept)),
                       box_at(problem, b, candidates.row_at(other))) > threshold;
  }
};

}  // namespace tarmac::ops::rotated_nms_kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace tarmac::ops::rotated_nms_kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using DF = hn::ScalableTag<float>;
using DU = hn::RebindToUnsigned<DF>;
using DI = hn::RebindToSigned<DF>;
using V = hn::Vec<DF>;

/// Relative and absolute slack of bounds; the absolute one covers numbers that underflow.
constexpr float kSlack = 1e-5F;
constexpr float kTiny = 1e-30F;
/// Bound of the float32 error of overlap·(1 + t) − t·(area + area') for boxes within a circle of radius 1:
/// sine and cosine are off by at most 4e-7 each, corners by 20 roundings, which moves an outline not longer
/// than 6.
constexpr float kError = 2e-5F;
/// hwy's sine and cosine are good to 3 units in the last place up to 39,000.
constexpr float kFarAngle = 10000.0F;

/// From x, y, half_dx, half_dy and yaw of boxes [begin, end) the rest.
void complete(const Boxes& boxes, std::size_t begin, std::size_t end) {
  const DF df;
  for (std::size_t i = begin; i < end; i += hn::Lanes(df)) {
    const auto yaw = hn::LoadU(df, boxes.yaw + i);
    const auto near = hn::IfThenElseZero(hn::Le(hn::Abs(yaw), hn::Set(df, kFarAngle)), yaw);
    const auto dx = hn::LoadU(df, boxes.half_dx + i);
    const auto dy = hn::LoadU(df, boxes.half_dy + i);
    hn::StoreU(hn::Cos(df, near), df, boxes.cosine + i);
    hn::StoreU(hn::Sin(df, near), df, boxes.sine + i);
    hn::StoreU(hn::Mul(hn::Mul(dx, dy), hn::Set(df, 4.0F)), df, boxes.area + i);
  }
  for (std::size_t i = begin; i < end; ++i) {
    if (std::abs(boxes.yaw[i]) <= kFarAngle) continue;
    boxes.cosine[i] = static_cast<float>(std::cos(static_cast<double>(boxes.yaw[i])));
    boxes.sine[i] = static_cast<float>(std::sin(static_cast<double>(boxes.yaw[i])));
  }
  for (std::size_t i = begin; i < end; i += hn::Lanes(df)) {
    const auto c = hn::Abs(hn::LoadU(df, boxes.cosine + i));
    const auto s = hn::Abs(hn::LoadU(df, boxes.sine + i));
    const auto dx = hn::LoadU(df, boxes.half_dx + i);
    const auto dy = hn::LoadU(df, boxes.half_dy + i);
    const auto slack = hn::Add(hn::Mul(hn::Add(dx, dy), hn::Set(df, kSlack)), hn::Set(df, kTiny));
    hn::StoreU(hn::Add(hn::MulAdd(c, dx, hn::Mul(s, dy)), slack), df, boxes.extent_x + i);
    hn::StoreU(hn::Add(hn::MulAdd(s, dx, hn::Mul(c, dy)), slack), df, boxes.extent_y + i);
  }
}

/// ∫ clamp(y, −h, h) dx along the segment (x0, y0) → (x1, y1) of this slope, as far as |x| ≤ w.
HWY_INLINE V band_integral(V x0, V y0, V x1, V y1, V slope, V w, V h) {
  const DF df;
  const auto minus_w = hn::Neg(w);
  const auto minus_h = hn::Neg(h);
  const auto from_x = hn::Min(hn::Max(x0, minus_w), w);
  const auto to_x = hn::Min(hn::Max(x1, minus_w), w);
  const auto from_y = hn::MulAdd(hn::Sub(from_x, x0), slope, y0);
  const auto to_y = hn::MulAdd(hn::Sub(to_x, x1), slope, y1);
  const auto low = hn::Min(from_y, to_y);
  const auto high = hn::Max(from_y, to_y);
  // y spends its way from low to high below the band, in it and above it.
  const auto low_in = hn::Min(hn::Max(low, minus_h), h);
  const auto high_in = hn::Min(hn::Max(high, minus_h), h);
  const auto below = hn::Sub(hn::Min(high, minus_h), hn::Min(low, minus_h));
  const auto above = hn::Sub(hn::Max(high, h), hn::Max(low, h));
  const auto sum =
      hn::MulAdd(h, hn::Sub(above, below),
                 hn::Mul(hn::Mul(hn::Set(df, 0.5F), hn::Add(low_in, high_in)), hn::Sub(high_in, low_in)));
  const auto way = hn::Sub(high, low);
  const auto mean = hn::IfThenElse(hn::Gt(way, hn::Set(df, kTiny)), hn::Div(sum, way), low_in);
  return hn::Mul(hn::Sub(to_x, from_x), mean);
}

/// One kept box, in every lane.
struct Kept {
  V x, y, half_dx, half_dy, cosine, sine, extent_x, extent_y, area;

  Kept(const Boxes& boxes, std::size_t i) {
    const DF df;
    x = hn::Set(df, boxes.x[i]);
    y = hn::Set(df, boxes.y[i]);
    half_dx = hn::Set(df, boxes.half_dx[i]);
    half_dy = hn::Set(df, boxes.half_dy[i]);
    cosine = hn::Set(df, boxes.cosine[i]);
    sine = hn::Set(df, boxes.sine[i]);
    extent_x = hn::Set(df, boxes.extent_x[i]);
    extent_y = hn::Set(df, boxes.extent_y[i]);
    area = hn::Set(df, boxes.area[i]);
  }
};

/// Whether kept box `k` suppresses the boxes others[0 … lanes): sets `sure` where float32 can tell, and `yes`
/// then. The overlap is −∮ clamp(y) dx around the other box in the kept one's frame, where that is |x| ≤ w,
/// |y| ≤ h: unlike a sum over clipped edges it is continuous in all numbers, so edges that coincide are no
/// special case.
HWY_INLINE void decide(const Boxes& boxes, const Kept& k, float threshold, const std::uint32_t* others,
                       hn::Mask<DF>& yes, hn::Mask<DF>& sure) {
  const DF df;
  const DI di;
  const DU du;
  const auto index = hn::BitCast(di, hn::LoadU(du, others));
  const auto shift_x = hn::Sub(hn::GatherIndex(df, boxes.x, index), k.x);
  const auto shift_y = hn::Sub(hn::GatherIndex(df, boxes.y, index), k.y);
  const auto half_dx = hn::GatherIndex(df, boxes.half_dx, index);
  const auto half_dy = hn::GatherIndex(df, boxes.half_dy, index);
  const auto cosine = hn::GatherIndex(df, boxes.cosine, index);
  const auto sine = hn::GatherIndex(df, boxes.sine, index);
  const auto area = hn::GatherIndex(df, boxes.area, index);

  const auto x = hn::MulAdd(k.cosine, shift_x, hn::Mul(k.sine, shift_y));
  const auto y = hn::NegMulAdd(k.sine, shift_x, hn::Mul(k.cosine, shift_y));
  const auto c = hn::MulAdd(k.cosine, cosine, hn::Mul(k.sine, sine));
  const auto s = hn::NegMulAdd(k.sine, cosine, hn::Mul(k.cosine, sine));
  const auto along_x = hn::Mul(c, half_dx);
  const auto along_y = hn::Mul(s, half_dx);
  const auto across_x = hn::Neg(hn::Mul(s, half_dy));
  const auto across_y = hn::Mul(c, half_dy);
  const auto steep = hn::Set(df, 1e-20F);  // an edge without width: any finite slope does
  const auto along_slope = hn::IfThenElseZero(hn::Gt(hn::Abs(c), steep), hn::Div(s, c));
  const auto across_slope = hn::IfThenElseZero(hn::Gt(hn::Abs(s), steep), hn::Neg(hn::Div(c, s)));

  const auto x0 = hn::Sub(hn::Sub(x, along_x), across_x);
  const auto y0 = hn::Sub(hn::Sub(y, along_y), across_y);
  const auto x1 = hn::Sub(hn::Add(x, along_x), across_x);
  const auto y1 = hn::Sub(hn::Add(y, along_y), across_y);
  const auto x2 = hn::Add(hn::Add(x, along_x), across_x);
  const auto y2 = hn::Add(hn::Add(y, along_y), across_y);
  const auto x3 = hn::Add(hn::Sub(x, along_x), across_x);
  const auto y3 = hn::Add(hn::Sub(y, along_y), across_y);
  const auto bottom = hn::Add(band_integral(x0, y0, x1, y1, along_slope, k.half_dx, k.half_dy),
                              band_integral(x1, y1, x2, y2, across_slope, k.half_dx, k.half_dy));
  const auto top = hn::Add(band_integral(x2, y2, x3, y3, along_slope, k.half_dx, k.half_dy),
                           band_integral(x3, y3, x0, y0, across_slope, k.half_dx, k.half_dy));
  const auto overlap = hn::Neg(hn::Add(bottom, top));

  // IoU > t  ⇔  overlap·(1 + t) > t·(area + area')
  const auto excess = hn::NegMulAdd(hn::Set(df, threshold), hn::Add(area, k.area),
                                    hn::Mul(overlap, hn::Set(df, 1 + threshold)));
  const auto reach = hn::Add(hn::Add(half_dx, half_dy), hn::Add(k.half_dx, k.half_dy));
  const auto error = hn::MulAdd(hn::Mul(reach, reach), hn::Set(df, kError), hn::Set(df, kTiny));
  sure = hn::Gt(hn::Abs(excess), error);  // false for NaN
  yes = hn::Gt(excess, hn::Zero(df));
}

/// Marks those of `count` boxes dead that kept box `k` suppresses. The list is padded with valid indices.
void suppress_listed(const Boxes& boxes, const Kept& kept, std::uint32_t k, const Arbiter& arbiter,
                     std::uint32_t* list, std::size_t count) {
  const DF df;
  const std::size_t lanes = hn::Lanes(df);
  for (std::size_t i = 0; i < lanes; ++i) list[count + i] = k;
  for (std::size_t first = 0; first < count; first += lanes) {
    hn::Mask<DF> yes;
    hn::Mask<DF> sure;
    decide(boxes, kept, arbiter.threshold, list + first, yes, sure);
    alignas(64) std::uint8_t bits_yes[8] = {};
    alignas(64) std::uint8_t bits_sure[8] = {};
    hn::StoreMaskBits(df, yes, bits_yes);
    hn::StoreMaskBits(df, sure, bits_sure);
    for (std::size_t lane = 0; lane < lanes && first + lane < count; ++lane) {
      const std::uint32_t other = list[first + lane];
      const bool is_sure = (bits_sure[lane / 8] >> (lane % 8) & 1) != 0;
      const bool says_yes = (bits_yes[lane / 8] >> (lane % 8) & 1) != 0;
      if (is_sure ? says_yes : arbiter.suppresses(k, other)) boxes.dead[other] = 1;
    }
  }
}

/// Marks those of boxes [begin, end) dead that kept box `k` suppresses.
void suppress(const Boxes& boxes, std::uint32_t k, std::uint32_t begin, std::uint32_t end,
              const Arbiter& arbiter) {
  const DF df;
  const DU du;
  const auto lanes = static_cast<std::uint32_t>(hn::Lanes(df));
  constexpr std::size_t kListed = 512;
  alignas(64) std::uint32_t list[kListed + 2 * hn::MaxLanes(df)];
  std::size_t count = 0;
  const Kept kept(boxes, k);
  const auto zero = hn::Zero(df);
  const auto gain = hn::Set(df, 1 + arbiter.threshold);
  const auto share = hn::Set(df, arbiter.threshold * (1 - kSlack));
  for (std::uint32_t i = begin; i < end; i += lanes) {
    const auto extent_x = hn::LoadU(df, boxes.extent_x + i);
    const auto extent_y = hn::LoadU(df, boxes.extent_y + i);
    const auto apart_x = hn::Abs(hn::Sub(hn::LoadU(df, boxes.x + i), kept.x));
    const auto apart_y = hn::Abs(hn::Sub(hn::LoadU(df, boxes.y + i), kept.y));
    const auto near_x = hn::Sub(hn::Add(extent_x, kept.extent_x), apart_x);
    const auto near_y = hn::Sub(hn::Add(extent_y, kept.extent_y), apart_y);
    // Written so that NaN, from numbers near the largest float, counts as near.
    const auto far = hn::Or(hn::Le(near_x, zero), hn::Le(near_y, zero));
    if (hn::AllTrue(df, far)) continue;
    // The overlap is at most that of the upright frames and at most the smaller area.
    const auto area = hn::LoadU(df, boxes.area + i);
    const auto two = hn::Set(df, 2.0F);
    const auto shared_x = hn::Min(near_x, hn::Mul(two, hn::Min(extent_x, kept.extent_x)));
    const auto shared_y = hn::Min(near_y, hn::Mul(two, hn::Min(extent_y, kept.extent_y)));
    const auto most = hn::Min(hn::Mul(shared_x, shared_y), hn::Min(area, kept.area));
    const auto below =
        hn::Lt(hn::MulAdd(most, gain, hn::Set(df, kTiny)), hn::Mul(share, hn::Add(area, kept.area)));
    const auto close = hn::AndNot(hn::Or(far, below), hn::FirstN(df, end - i));
    if (hn::AllFalse(df, close)) continue;
    const std::size_t before = count;
    count += hn::CompressStore(hn::Iota(du, i), hn::RebindMask(du, close), du, list + count);
    std::size_t alive = before;
    for (std::size_t j = before; j < count; ++j) {
      list[alive] = list[j];
      alive += boxes.dead[list[j]] == 0 ? 1 : 0;
    }
    count = alive;
    if (count > kListed - lanes) {
      suppress_listed(boxes, kept, k, arbiter, list, count);
      count = 0;
    }
  }
  if (count > 0) suppress_listed(boxes, kept, k, arbiter, list, count);
}

/// Keeps the boxes of [begin, end) that no kept one suppresses, at most `most`.
void sweep(const Boxes& boxes, nms::Candidates::Range range, std::int64_t most, const Arbiter& arbiter,
           nms::Candidates& candidates, Parallel& parallel) {
  constexpr std::uint32_t kBlock = 64;
  // Pairs that take about 30 µs.
  constexpr std::int64_t kGrainPairs = 150000;
  std::int64_t total = 0;
  for (std::uint32_t block = range.begin; block < range.end && total < most; block += kBlock) {
    const std::uint32_t block_end = std::min(block + kBlock, range.end);
    std::uint32_t kept[kBlock];
    std::int64_t count = 0;
    for (std::uint32_t i = block; i < block_end && total < most; ++i) {
      if (boxes.dead[i] != 0) continue;
      candidates.keep(i);
      kept[count++] = i;
      ++total;
      suppress(boxes, i, i + 1, block_end, arbiter);
    }
    if (count == 0 || total == most) continue;
    parallel.for_ranges(range.end - block_end, kGrainPairs / count,
                        [&](std::int64_t begin, std::int64_t end) {
                          for (std::int64_t i = 0; i < count; ++i) {
                            suppress(boxes, kept[i], block_end + static_cast<std::uint32_t>(begin),
                                     block_end + static_cast<std::uint32_t>(end), arbiter);
                          }
                        });
  }
}

}  // namespace tarmac::ops::rotated_nms_kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tarmac::ops::rotated_nms_kernels {
namespace {

HWY_EXPORT(complete);
HWY_EXPORT(sweep);

constexpr std::size_t kMostLanes = 16;

std::size_t bytes_of(std::int64_t places) {
  return (static_cast<std::size_t>(places) + kMostLanes) * (Boxes::kFloats * sizeof(float) + 1);
}

Boxes place_boxes(std::byte* memory, std::int64_t places) {
  const auto count = static_cast<std::size_t>(places) + kMostLanes;
  auto* const floats = reinterpret_cast<float*>(memory);
  return {.x = floats,
          .y = floats + count,
          .half_dx = floats + 2 * count,
          .half_dy = floats + 3 * count,
          .yaw = floats + 4 * count,
          .cosine = floats + 5 * count,
          .sine = floats + 6 * count,
          .extent_x = floats + 7 * count,
          .extent_y = floats + 8 * count,
          .area = floats + 9 * count,
          .dead = reinterpret_cast<std::uint8_t*>(floats + Boxes::kFloats * count)};
}

class Cpu final : public Kernel {
 public:
  explicit Cpu(const Settings& settings) : settings_(settings) {}

  Status run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
             Parallel& parallel) const override {
    const nms::Problem problem(inputs);
    const nms::Selection selection(problem, outputs);
    nms::Fast{settings_.options, problem, selection}.run(
        bytes_of(problem.places()),
        [&](std::int64_t b, std::uint32_t row) { return is_sound(box_at(problem, b, row)); },
        [&](std::int64_t b, nms::Candidates& candidates, std::byte* memory, Parallel& threads) {
          solve(problem, b, candidates, place_boxes(memory, problem.places()), threads);
        },
        parallel);
    return {};
  }

 private:
  void solve(const nms::Problem& problem, std::int64_t b, nms::Candidates& candidates, const Boxes& boxes,
             Parallel& parallel) const {
    constexpr std::int64_t kGrain = 8192;
    // Rounded to whole vectors, so that two threads never write the same box.
    const std::int64_t vectors = (std::int64_t{candidates.size()} + kMostLanes - 1) / kMostLanes;
    parallel.for_ranges(vectors, kGrain / kMostLanes, [&](std::int64_t first, std::int64_t last) {
      const auto begin = static_cast<std::uint32_t>(first * kMostLanes);
      const auto end = static_cast<std::uint32_t>(last * kMostLanes);
      for (std::uint32_t i = begin; i < end; ++i) {
        const RotatedBox box =
            i < candidates.size() ? box_at(problem, b, candidates.row_at(i)) : RotatedBox{};
        boxes.x[i] = static_cast<float>(box.x);
        boxes.y[i] = static_cast<float>(box.y);
        boxes.half_dx[i] = static_cast<float>(box.dx / 2);
        boxes.half_dy[i] = static_cast<float>(box.dy / 2);
        boxes.yaw[i] = static_cast<float>(box.yaw);
        boxes.dead[i] = 0;
      }
      HWY_DYNAMIC_DISPATCH(complete)(boxes, begin, end);
    });
    const Arbiter arbiter{problem, candidates, b, settings_.iou_threshold};
    const auto groups = candidates.groups();
    if (groups.size() == 1) {
      HWY_DYNAMIC_DISPATCH(sweep)
      (boxes, groups[0], settings_.options.max_boxes, arbiter, candidates, parallel);
      return;
    }
    const std::int64_t per_group =
        groups.empty() ? 1 : candidates.size() / static_cast<std::int64_t>(groups.size());
    parallel.for_ranges(static_cast<std::int64_t>(groups.size()),
                        256 / std::max<std::int64_t>(per_group, 1) + 1,
                        [&](std::int64_t begin, std::int64_t end) {
                          Serial serial;
                          for (std::int64_t g = begin; g < end; ++g) {
                            HWY_DYNAMIC_DISPATCH(sweep)
                            (boxes, groups[static_cast<std::size_t>(g)], settings_.options.max_boxes, arbiter,
                             candidates, serial);
                          }
                        });
  }

  Settings settings_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_cpu(const Attributes& attributes) {
  TARMAC_TRY(const Settings settings, read_settings(attributes));
  return std::unique_ptr<Kernel>(std::make_unique<Cpu>(settings));
}

}  // namespace tarmac::ops::rotated_nms_kernels
#endif  // HWY_ONCE

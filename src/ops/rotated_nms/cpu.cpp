// Boxes are taken by falling score; each that is still in is kept, and takes those out that it suppresses.
// They are found in three steps, each on a vector at once: tiles of boxes near each other whose frames touch;
// boxes in them whose upright frame allows an IoU above the threshold; and the overlap of those in float32.
// Its error is bounded: what is too close to the threshold is decided by the same double computation as the
// reference's, so that both always agree.
#include "ops/rotated_nms/operator.h"

#include <algorithm>
#include <cmath>

#include "ops/nms_candidates.h"
#include "ops/nms_tiles.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/rotated_nms/cpu.cpp"
#include "ops/simd.h"

#include <hwy/foreach_target.h>  // after simd.h, before highway.h

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "ops/nms_tiles-inl.h"

#ifndef TARMAC_OPS_ROTATED_NMS_CPU
#define TARMAC_OPS_ROTATED_NMS_CPU
namespace tarmac::ops::rotated_nms_kernels {

/// Where a row of boxes has what is seen from above.
struct Columns {
  std::size_t x, y, dx, dy, yaw;
};

/// Boxes of one group by position in its tiles.
struct Boxes {
  explicit Boxes(std::int64_t most)
      : tiles(most, 11),
        half_dx(tiles.extra(0)),
        half_dy(tiles.extra(1)),
        yaw(tiles.extra(2)),
        cosine(tiles.extra(3)),
        sine(tiles.extra(4)),
        area(tiles.extra(5)) {
    for (std::int64_t i = 0; i < 5; ++i) given[i] = tiles.extra(6 + i);
  }
  nms::Tiles tiles;
  float *half_dx, *half_dy, *yaw, *cosine, *sine, *area;
  float* given[5];  ///< x, y, half_dx, half_dy and yaw in the order of the group
};

/// Too close to the threshold for float32.
struct Arbiter {
  const nms::Problem& problem;
  const nms::Candidates& candidates;
  std::int64_t b;
  std::uint32_t first;  ///< candidate that is box 0
  float threshold;
  [[nodiscard]] bool suppresses(std::uint32_t kept, std::uint32_t other) const {
    const auto box = [&](std::uint32_t i) { return box_at(problem, b, candidates.row_at(first + i)); };
    return rotated_iou(box(kept), box(other)) > threshold;
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
/// Bound of the float32 error of overlap·(1 + t) − t·(area + area'), in squares of the boxes' half sizes
/// added up: corners are off by 1e-6 of that, from sine, cosine and 20 roundings, along an outline of at
/// most 6.
constexpr float kError = 2e-5F;
/// hwy's sine and cosine are good to 3 units in the last place up to 39,000.
constexpr float kFarAngle = 10000.0F;

/// From the given numbers the others, by position.
void complete(Boxes& boxes, std::uint32_t count) {
  const DF df;
  nms::Tiles& tiles = boxes.tiles;
  float* const sorted[] = {tiles.x, tiles.y, boxes.half_dx, boxes.half_dy, boxes.yaw};
  for (int array = 0; array < 5; ++array) {
    for (std::uint32_t i = 0; i < count; ++i) sorted[array][i] = boxes.given[array][tiles.who[i]];
  }
  const auto lanes = static_cast<std::uint32_t>(hn::Lanes(df));
  for (std::uint32_t i = 0; i < count; i += lanes) {
    const auto yaw = hn::LoadU(df, boxes.yaw + i);
    const auto is_far = hn::Gt(hn::Abs(yaw), hn::Set(df, kFarAngle));
    const auto small = hn::IfThenZeroElse(is_far, yaw);
    hn::StoreU(hn::Cos(df, small), df, boxes.cosine + i);
    hn::StoreU(hn::Sin(df, small), df, boxes.sine + i);
    if (hn::AllFalse(df, is_far)) continue;
    for (std::uint32_t far = i; far < std::min(i + lanes, count); ++far) {
      boxes.cosine[far] = static_cast<float>(std::cos(static_cast<double>(boxes.yaw[far])));
      boxes.sine[far] = static_cast<float>(std::sin(static_cast<double>(boxes.yaw[far])));
    }
  }
  for (std::uint32_t i = 0; i < count; i += lanes) {
    const auto c = hn::Abs(hn::LoadU(df, boxes.cosine + i));
    const auto s = hn::Abs(hn::LoadU(df, boxes.sine + i));
    const auto dx = hn::LoadU(df, boxes.half_dx + i);
    const auto dy = hn::LoadU(df, boxes.half_dy + i);
    const auto slack = hn::MulAdd(hn::Add(dx, dy), hn::Set(df, kSlack), hn::Set(df, kTiny));
    hn::StoreU(hn::Add(hn::MulAdd(c, dx, hn::Mul(s, dy)), slack), df, tiles.extent_x + i);
    hn::StoreU(hn::Add(hn::MulAdd(s, dx, hn::Mul(c, dy)), slack), df, tiles.extent_y + i);
    hn::StoreU(hn::Mul(hn::Mul(dx, dy), hn::Set(df, 4.0F)), df, boxes.area + i);
  }
  nms::HWY_NAMESPACE::frame_tiles(tiles);
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

  Kept(const Boxes& boxes, std::uint32_t i) {
    const DF df;
    x = hn::Set(df, boxes.tiles.x[i]);
    y = hn::Set(df, boxes.tiles.y[i]);
    half_dx = hn::Set(df, boxes.half_dx[i]);
    half_dy = hn::Set(df, boxes.half_dy[i]);
    cosine = hn::Set(df, boxes.cosine[i]);
    sine = hn::Set(df, boxes.sine[i]);
    extent_x = hn::Set(df, boxes.tiles.extent_x[i]);
    extent_y = hn::Set(df, boxes.tiles.extent_y[i]);
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
  const auto shift_x = hn::Sub(hn::GatherIndex(df, boxes.tiles.x, index), k.x);
  const auto shift_y = hn::Sub(hn::GatherIndex(df, boxes.tiles.y, index), k.y);
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

/// Takes those of the listed positions out that kept box `k` suppresses. The list has room for a vector more.
void suppress_listed(const Boxes& boxes, const Kept& kept, std::uint32_t k, const Arbiter& arbiter,
                     std::uint32_t* list, std::size_t count) {
  const DF df;
  const DU du;
  const nms::Tiles& tiles = boxes.tiles;
  const std::size_t lanes = hn::Lanes(df);
  for (std::size_t i = 0; i < lanes; ++i) list[count + i] = k;
  for (std::size_t first = 0; first < count; first += lanes) {
    hn::Mask<DF> yes;
    hn::Mask<DF> sure;
    decide(boxes, kept, arbiter.threshold, list + first, yes, sure);
    const auto listed = hn::FirstN(df, count - first);
    const auto others = hn::LoadU(du, list + first);
    alignas(64) std::uint32_t chosen[hn::MaxLanes(df)];
    const auto taken = hn::And(hn::And(yes, sure), listed);
    hn::Store(hn::Compress(others, hn::RebindMask(du, taken)), du, chosen);
    const std::size_t taken_count = hn::CountTrue(df, taken);
    for (std::size_t i = 0; i < taken_count; ++i) tiles.extent_x[chosen[i]] = nms::HWY_NAMESPACE::kOut;
    const auto unsure = hn::AndNot(sure, listed);
    if (hn::AllFalse(df, unsure)) continue;
    hn::Store(hn::Compress(others, hn::RebindMask(du, unsure)), du, chosen);
    const std::size_t unsure_count = hn::CountTrue(df, unsure);
    for (std::size_t i = 0; i < unsure_count; ++i) {
      if (arbiter.suppresses(tiles.who[k], tiles.who[chosen[i]]))
        tiles.extent_x[chosen[i]] = nms::HWY_NAMESPACE::kOut;
    }
  }
}

/// Takes those boxes out that kept box `k` suppresses; itself is out already.
void suppress(const Boxes& boxes, std::uint32_t k, const Kept& kept, float extent_x, const Arbiter& arbiter) {
  const DF df;
  const DU du;
  const nms::Tiles& tiles = boxes.tiles;
  constexpr std::size_t kListed = 256;
  alignas(64) std::uint32_t list[kListed + 2 * hn::MaxLanes(df)];
  std::size_t count = 0;
  const auto two = hn::Set(df, 2.0F);
  const auto gain = hn::Set(df, 1 + arbiter.threshold);
  const auto share = hn::Set(df, arbiter.threshold * (1 - kSlack));
  nms::HWY_NAMESPACE::visit_near(
      tiles, tiles.x[k], tiles.y[k], extent_x, tiles.extent_y[k], [&](std::uint32_t i) {
        const auto other_x = hn::LoadU(df, tiles.extent_x + i);
        const auto other_y = hn::LoadU(df, tiles.extent_y + i);
        const auto apart_x = hn::Abs(hn::Sub(hn::LoadU(df, tiles.x + i), kept.x));
        const auto apart_y = hn::Abs(hn::Sub(hn::LoadU(df, tiles.y + i), kept.y));
        const auto near_x = hn::Sub(hn::Add(other_x, kept.extent_x), apart_x);
        const auto near_y = hn::Sub(hn::Add(other_y, kept.extent_y), apart_y);
        // Written so that NaN, from numbers near the largest float, counts as near.
        const auto far = hn::Or(hn::Le(near_x, hn::Zero(df)), hn::Le(near_y, hn::Zero(df)));
        // The overlap is at most that of the upright frames and at most the smaller area.
        const auto area = hn::LoadU(df, boxes.area + i);
        const auto shared_x = hn::Min(near_x, hn::Mul(two, hn::Min(other_x, kept.extent_x)));
        const auto shared_y = hn::Min(near_y, hn::Mul(two, hn::Min(other_y, kept.extent_y)));
        const auto most = hn::Min(hn::Mul(shared_x, shared_y), hn::Min(area, kept.area));
        const auto below =
            hn::Lt(hn::MulAdd(most, gain, hn::Set(df, kTiny)), hn::Mul(share, hn::Add(area, kept.area)));
        const auto close = hn::Not(hn::Or(far, below));
        hn::StoreU(hn::Compress(hn::Iota(du, i), hn::RebindMask(du, close)), du, list + count);
        count += hn::CountTrue(df, close);
        if (count <= kListed) return;
        suppress_listed(boxes, kept, k, arbiter, list, count);
        count = 0;
      });
  if (count > 0) suppress_listed(boxes, kept, k, arbiter, list, count);
}

/// (dx + dy) / 2 of most boxes: the harmonic mean of a sample, which a few huge ones do not move.
float usual_size(const float* half_dx, const float* half_dy, std::uint32_t count) {
  constexpr std::uint32_t kSamples = 64;
  const std::uint32_t step = (count + kSamples - 1) / kSamples;
  double inverse = 0;
  std::uint32_t samples = 0;
  for (std::uint32_t i = 0; i < count; i += step, ++samples)
    inverse += 1 / (static_cast<double>(half_dx[i]) + half_dy[i]);
  return static_cast<float>(samples / inverse);
}

/// Keeps the boxes of a group that no kept one suppresses, at most max_boxes.
void sweep(const nms::Problem& problem, std::int64_t b, const Columns& columns, nms::Candidates::Range group,
           const Settings& settings, nms::Candidates& candidates) {
  const std::int64_t most = settings.options.max_boxes;
  Boxes boxes(nms::largest_group(settings.options, problem));
  nms::Tiles& tiles = boxes.tiles;
  for (std::uint32_t i = 0; i < group.size(); ++i) {
    const float* const box = problem.box(b, candidates.row_at(group.begin + i));
    boxes.given[0][i] = box[columns.x];
    boxes.given[1][i] = box[columns.y];
    boxes.given[2][i] = box[columns.dx] / 2;
    boxes.given[3][i] = box[columns.dy] / 2;
    boxes.given[4][i] = box[columns.yaw];
  }
  const float cell = usual_size(boxes.given[2], boxes.given[3], group.size());
  nms::HWY_NAMESPACE::order_by_place(tiles, boxes.given[0], boxes.given[1], group.size(), cell);
  complete(boxes, group.size());
  const Arbiter arbiter{problem, candidates, b, group.begin, settings.iou_threshold};
  std::int64_t total = 0;
  for (std::uint32_t i = 0; i < group.size() && total < most; ++i) {
    const std::uint32_t k = tiles.at[i];
    const float extent_x = tiles.extent_x[k];
    if (extent_x < 0) continue;
    candidates.keep(group.begin + i);
    ++total;
    const Kept kept(boxes, k);
    tiles.extent_x[k] = nms::HWY_NAMESPACE::kOut;
    suppress(boxes, k, kept, extent_x, arbiter);
  }
}

}  // namespace tarmac::ops::rotated_nms_kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tarmac::ops::rotated_nms_kernels {
namespace {

HWY_EXPORT(sweep);

class Cpu final : public Kernel {
 public:
  explicit Cpu(const Settings& settings) : settings_(settings) {}

  Status run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
             Parallel& parallel) const override {
    const nms::Problem problem(inputs);
    const Columns columns = problem.columns() == 5 ? Columns{0, 1, 2, 3, 4} : Columns{0, 1, 3, 4, 6};
    nms::run_fast(
        settings_.options, problem, nms::Selection(problem, outputs),
        [&](std::int64_t b, std::uint32_t n) {
          const float* const box = problem.box(b, n);
          const float sum =
              box[columns.x] + box[columns.y] + box[columns.dx] + box[columns.dy] + box[columns.yaw];
          if (!(sum - sum == 0))
            return is_sound(box_at(problem, b, n));  // some number or their sum is not finite
          return box[columns.dx] > 0 && box[columns.dy] > 0;
        },
        [&](std::int64_t b, nms::Candidates::Range group, nms::Candidates& candidates) {
          HWY_DYNAMIC_DISPATCH(sweep)
          (problem, b, columns, group, settings_, candidates);
        },
        parallel);
    return {};
  }

 private:
  Settings settings_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_cpu(const Attributes& attributes) {
  TARMAC_TRY(const Settings settings, read_settings(attributes));
  return std::unique_ptr<Kernel>(std::make_unique<Cpu>(settings));
}

}  // namespace tarmac::ops::rotated_nms_kernels
#endif  // HWY_ONCE

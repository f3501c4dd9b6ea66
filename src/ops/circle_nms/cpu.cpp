// As RotatedNms: boxes near a kept one are found by tiles; distances are taken in float32, and in double, as
// the reference does, where that is too close to the radius.
#include "ops/circle_nms/operator.h"

#include <cmath>

#include "ops/nms_candidates.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/circle_nms/cpu.cpp"
#include "ops/simd.h"

#include <hwy/foreach_target.h>  // after simd.h, before highway.h

#include <hwy/highway.h>

#include "ops/nms_tiles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tarmac::ops::circle_nms_kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
namespace tiled = nms::HWY_NAMESPACE;

/// Keeps the boxes of a group that are not within the radius of a kept one, at most max_boxes.
void sweep(const nms::Problem& problem, std::int64_t b, nms::Candidates::Range group, double squared_radius,
           const nms::Options& options, nms::Candidates& candidates) {
  if (squared_radius < 0) {
    for (std::uint32_t i = group.begin; i < group.end; ++i) candidates.keep(i);
    return;
  }
  const hn::ScalableTag<float> df;
  nms::Tiles tiles(nms::largest_group(options, problem), 2);
  float* const x = tiles.extra(0);
  float* const y = tiles.extra(1);
  const auto box = [&](std::uint32_t i) { return problem.box(b, candidates.row_at(group.begin + i)); };
  for (std::uint32_t i = 0; i < group.size(); ++i) {
    x[i] = box(i)[0];
    y[i] = box(i)[1];
  }
  const auto radius = static_cast<float>(std::sqrt(squared_radius));
  tiled::order_by_place(tiles, x, y, group.size(), radius);
  // Frames of half the radius touch where centres are within it; the rest is slack for rounding.
  constexpr float kTiny = 1e-15F;
  const float extent = radius * 0.50001F + kTiny;
  for (std::uint32_t position = 0; position < group.size(); ++position) {
    tiles.x[position] = x[tiles.who[position]];
    tiles.y[position] = y[tiles.who[position]];
    tiles.extent_x[position] = tiles.extent_y[position] = extent;
  }
  tiled::frame_tiles(tiles);

  constexpr float kSlack = 1e-6F;
  const auto inside = hn::Set(df, static_cast<float>(squared_radius) * (1 - kSlack) - kTiny * kTiny);
  const auto outside = hn::Set(df, static_cast<float>(squared_radius) * (1 + kSlack) + kTiny * kTiny);
  std::int64_t total = 0;
  for (std::uint32_t i = 0; i < group.size() && total < options.max_boxes; ++i) {
    const std::uint32_t k = tiles.at[i];
    if (tiles.extent_x[k] < 0) continue;
    candidates.keep(group.begin + i);
    ++total;
    tiles.extent_x[k] = tiled::kOut;
    const auto kept_x = hn::Set(df, tiles.x[k]);
    const auto kept_y = hn::Set(df, tiles.y[k]);
    tiled::visit_near(tiles, tiles.x[k], tiles.y[k], extent, extent, [&](std::uint32_t first) {
      const auto dx = hn::Sub(hn::LoadU(df, tiles.x + first), kept_x);
      const auto dy = hn::Sub(hn::LoadU(df, tiles.y + first), kept_y);
      const auto squared = hn::MulAdd(dx, dx, hn::Mul(dy, dy));
      const auto state = hn::LoadU(df, tiles.extent_x + first);
      const auto out = hn::Set(df, tiled::kOut);
      const auto near = hn::Lt(squared, inside);
      hn::StoreU(hn::IfThenElse(near, out, state), df, tiles.extent_x + first);
      const auto unsure =
          hn::And(hn::Not(hn::Or(near, hn::Gt(squared, outside))), hn::Ge(state, hn::Zero(df)));
      if (hn::AllFalse(df, unsure)) return;
      for (std::uint32_t position = first; position < first + hn::Lanes(df); ++position) {
        if (tiles.extent_x[position] >= 0 &&
            squared_distance(box(i), box(tiles.who[position])) <= squared_radius)
          tiles.extent_x[position] = tiled::kOut;
      }
    });
  }
}

}  // namespace tarmac::ops::circle_nms_kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tarmac::ops::circle_nms_kernels {
namespace {

HWY_EXPORT(sweep);

class Cpu final : public Kernel {
 public:
  explicit Cpu(Settings settings) : settings_(std::move(settings)) {}

  Status run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
             Parallel& parallel) const override {
    const nms::Problem problem(inputs);
    const nms::Options& options = settings_.options;
    nms::run_fast(
        options, problem, nms::Selection(problem, outputs),
        [&](std::int64_t b, std::uint32_t n) { return is_sound_centre(problem.box(b, n)); },
        [&](std::int64_t b, nms::Candidates::Range group, nms::Candidates& candidates) {
          const double squared_radius = settings_.squared_radius_of(candidates.label_at(group.begin));
          HWY_DYNAMIC_DISPATCH(sweep)
          (problem, b, group, squared_radius, options, candidates);
        },
        parallel);
    return {};
  }

 private:
  Settings settings_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_cpu(const Attributes& attributes) {
  TARMAC_TRY(Settings settings, read_settings(attributes));
  return std::unique_ptr<Kernel>(std::make_unique<Cpu>(std::move(settings)));
}

}  // namespace tarmac::ops::circle_nms_kernels
#endif  // HWY_ONCE

#include <cmath>
#include <cstring>
#include <memory>
#include <numbers>

#include "ops/bev_pool/index_builder.h"
#include "ops/registry.h"
#include "ops/sides.h"

namespace tarmac::bench {
namespace {

using ops::bev::Axis;

struct Sizes {
  std::int64_t channels;
  Axis depth;
  Axis plane;  ///< of x and of y
};

/// nuScenes' six cameras in round numbers: 1600×900 scaled by 0.44 and cut to 704×256, features of a
/// sixteenth.
ops::bev::Geometry six_cameras(const Sizes& sizes) {
  ops::bev::Geometry geometry;
  geometry.image_height = 256;
  geometry.image_width = 704;
  geometry.feature_height = 16;
  geometry.feature_width = 44;
  geometry.depth = sizes.depth;
  geometry.x = geometry.y = sizes.plane;
  geometry.z = {-5, 3, 8};
  for (const double degrees : {0.0, 55.0, -55.0, 110.0, -110.0, 180.0}) {
    const double focal = degrees == 180.0 ? 809 : 1266;
    const double yaw = degrees * std::numbers::pi / 180;
    const double c = std::cos(yaw);
    const double s = std::sin(yaw);
    // The camera's x is right, y down, z ahead; the vehicle's x ahead, y left, z up.
    geometry.cameras.push_back(
        {.intrinsics = {focal, 0, 816, 0, focal, 491, 0, 0, 1},
         .sensor_to_ego = {s, 0, c, 1.5 * c, -c, 0, s, 0.5 * s, 0, -1, 0, 1.5, 0, 0, 0, 1},
         .post_rotation = {0.44, 0, 0, 0, 0.44, 0, 0, 0, 1},
         .post_translation = {0, -140, 0}});
  }
  return geometry;
}

/// What one writes first: a sum for each interval, channels innermost, then out into the planes.
void plain_loop(const std::vector<Tensor>& inputs, std::int64_t channels, std::int64_t cells, float* y) {
  const float* depth = inputs[0].data<float>().data();
  const float* feat = inputs[1].data<float>().data();
  const std::int32_t* ranks_depth = inputs[2].data<std::int32_t>().data();
  const std::int32_t* ranks_feat = inputs[3].data<std::int32_t>().data();
  const std::int32_t* ranks_bev = inputs[4].data<std::int32_t>().data();
  const auto starts = inputs[5].data<std::int32_t>();
  const auto lengths = inputs[6].data<std::int32_t>();
  std::memset(y, 0, sizeof(float) * static_cast<std::size_t>(channels * cells));
  std::vector<float> sums(static_cast<std::size_t>(channels));
  for (std::size_t i = 0; i < starts.size(); ++i) {
    std::fill(sums.begin(), sums.end(), 0.0F);
    float* sum = sums.data();
    for (std::int32_t p = starts[i]; p < starts[i] + lengths[i]; ++p) {
      const float weight = depth[ranks_depth[p]];
      const float* from = feat + ranks_feat[p] * channels;
      for (std::int64_t c = 0; c < channels; ++c) sum[c] += weight * from[c];
    }
    float* to = y + ranks_bev[starts[i]];
    for (std::int64_t c = 0; c < channels; ++c) to[c * cells] = sum[c];
  }
}

Case make(const std::string& name, const Sizes& sizes) {
  const auto geometry = six_cameras(sizes);
  const auto index = value_of(ops::bev::build_index(geometry));
  const std::int64_t cells = index.z * index.height * index.width;
  const std::int64_t channels = sizes.channels;
  const Shape depth_shape = {6, index.depth_bins, 16, 44};
  const std::vector<Tensor> inputs = {random_floats(depth_shape, 0, 1, 1),
                                      random_floats({6, 16, 44, channels}, -1, 1, 2),
                                      index.ranks_depth,
                                      index.ranks_feat,
                                      index.ranks_bev,
                                      index.interval_starts,
                                      index.interval_lengths};
  const ops::Attributes attributes = {{"height", index.height}, {"width", index.width}};
  const ops::Operator& op = *ops::find_operator(ops::kDomain, "BevPool");
  const auto y = std::make_shared<std::vector<float>>(static_cast<std::size_t>(channels * cells));

  double bytes = 4.0 * static_cast<double>(channels * cells);
  for (const Tensor& input : inputs) bytes += static_cast<double>(input.bytes().size());
  const auto points = static_cast<double>(index.ranks_bev.count());
  const double lines = std::ceil(static_cast<double>(channels) * 4 / 64);
  return {name,
          std::to_string(index.ranks_bev.count()) + " points in " +
              std::to_string(index.interval_starts.count()) + " cells of " + std::to_string(cells) + ", " +
              std::to_string(channels) + " channels, float32",
          {.bytes = bytes, .flops = 2 * points * static_cast<double>(channels), .gathers = points * lines},
          3,
          {bare_kernel(op, attributes, inputs),
           function("plain loop", [=] { plain_loop(inputs, channels, cells, y->data()); })}};
}

CaseMaker maker(const std::string& name, const Sizes& sizes) {
  return {"bev_pool/" + name, [=] { return make("bev_pool/" + name, sizes); }};
}

}  // namespace

std::vector<CaseMaker> bev_pool_cases() {
  const Axis near = {-51.2, 51.2, 0.8};
  return {maker("bevdet_r50", {64, {1, 60, 1}, near}), maker("bevdet_r50_80", {80, {1, 60, 1}, near}),
          maker("bevdet_118_bins", {80, {1, 60, 0.5}, near}),
          maker("large", {80, {1, 60, 0.5}, {-50, 50, 0.5}})};
}

}  // namespace tarmac::bench

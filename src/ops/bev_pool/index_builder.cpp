#include "ops/bev_pool/index_builder.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <span>

namespace tarmac::ops::bev {
namespace {

using Matrix = std::array<double, 9>;
using Vector = std::array<double, 3>;

constexpr double kMost = std::numeric_limits<std::int32_t>::max();

Error invalid(const std::string& what) {
  return make_error(ErrorCode::kInvalidInput, "BevPool's index: " + what);
}

bool all_finite(std::span<const double> values) {
  return std::all_of(values.begin(), values.end(), [](double value) { return std::isfinite(value); });
}

Vector apply(const Matrix& m, const Vector& v) {
  return {m[0] * v[0] + m[1] * v[1] + m[2] * v[2], m[3] * v[0] + m[4] * v[1] + m[5] * v[2],
          m[6] * v[0] + m[7] * v[1] + m[8] * v[2]};
}

Matrix product(const Matrix& a, const Matrix& b) {
  Matrix result{};
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) {
      for (std::size_t k = 0; k < 3; ++k) result[3 * i + j] += a[3 * i + k] * b[3 * k + j];
    }
  }
  return result;
}

/// By cofactors; nothing for a matrix whose rows are (nearly) dependent.
std::optional<Matrix> inverse(const Matrix& m) {
  const Matrix adjugate = {m[4] * m[8] - m[5] * m[7], m[2] * m[7] - m[1] * m[8], m[1] * m[5] - m[2] * m[4],
                           m[5] * m[6] - m[3] * m[8], m[0] * m[8] - m[2] * m[6], m[2] * m[3] - m[0] * m[5],
                           m[3] * m[7] - m[4] * m[6], m[1] * m[6] - m[0] * m[7], m[0] * m[4] - m[1] * m[3]};
  const double determinant = m[0] * adjugate[0] + m[1] * adjugate[3] + m[2] * adjugate[6];
  double volume = 1;  // of the box that the rows would span if they were orthogonal
  for (std::size_t i = 0; i < 3; ++i) volume *= std::hypot(m[3 * i], m[3 * i + 1], m[3 * i + 2]);
  if (!(std::abs(determinant) > 1e-10 * volume)) return std::nullopt;
  Matrix result = adjugate;
  for (double& value : result) value /= determinant;
  return result;
}

/// From a pixel of the network and a depth to ego coordinates.
struct Projection {
  Matrix undo_post;
  Vector post_translation;
  Matrix to_ego;
  Vector origin;

  [[nodiscard]] Vector operator()(double u, double v, double depth) const {
    const Vector p =
        apply(undo_post, {u - post_translation[0], v - post_translation[1], depth - post_translation[2]});
    const Vector ray = apply(to_ego, {p[0] * p[2], p[1] * p[2], p[2]});
    return {ray[0] + origin[0], ray[1] + origin[1], ray[2] + origin[2]};
  }
};

Result<Projection> projection_of(const Camera& camera, std::size_t number) {
  const auto wrong = [&](const char* what) {
    return invalid(std::string(what) + " of camera " + std::to_string(number));
  };
  const auto& ego = camera.sensor_to_ego;
  if (!all_finite(camera.intrinsics) || !all_finite(ego) || !all_finite(camera.post_rotation) ||
      !all_finite(camera.post_translation))
    return wrong("infinity or NaN in the geometry");
  if (ego[12] != 0 || ego[13] != 0 || ego[14] != 0 || ego[15] != 1)
    return wrong("expected 0 0 0 1 as the last row of sensor_to_ego");
  const Matrix rotation = {ego[0], ego[1], ego[2], ego[4], ego[5], ego[6], ego[8], ego[9], ego[10]};
  if (!inverse(rotation)) return wrong("singular rotation in sensor_to_ego");
  const auto undo_intrinsics = inverse(camera.intrinsics);
  if (!undo_intrinsics) return wrong("singular intrinsics");
  const auto undo_post = inverse(camera.post_rotation);
  if (!undo_post) return wrong("singular post_rotation");
  return Projection{
      *undo_post, camera.post_translation, product(rotation, *undo_intrinsics), {ego[3], ego[7], ego[11]}};
}

Status check_axis(const char* name, const Axis& axis) {
  const double bounds[] = {axis.lower, axis.upper, axis.step};
  if (all_finite(bounds) && axis.step > 0 && axis.upper > axis.lower &&
      (axis.upper - axis.lower) / axis.step <= kMost)
    return {};
  return invalid(std::string(name) + " goes from " + std::to_string(axis.lower) + " to " +
                 std::to_string(axis.upper) + " by " + std::to_string(axis.step) +
                 ", expected lower < upper and a positive step");
}

Result<std::int64_t> cells_of(const char* name, const Axis& axis) {
  TARMAC_CHECK_OK(check_axis(name, axis));
  const double cells = (axis.upper - axis.lower) / axis.step;
  if (std::round(cells) < 1 || std::abs(cells - std::round(cells)) > 1e-4)
    return invalid(std::string(name) + " has " + std::to_string(cells) + " cells, expected a whole number");
  return static_cast<std::int64_t>(std::round(cells));
}

/// The cell along one axis, or -1.
std::int64_t cell_of(double coordinate, const Axis& axis, std::int64_t cells) {
  const double position = (coordinate - axis.lower) / axis.step;
  if (!(position > -1 && position < static_cast<double>(cells))) return -1;  // also what is not a number
  return static_cast<std::int64_t>(position);
}

double spread(std::int64_t i, std::int64_t count, std::int64_t pixels) {
  return count < 2
             ? 0.0
             : static_cast<double>(i) * static_cast<double>(pixels - 1) / static_cast<double>(count - 1);
}

/// Keys of the points inside: the cell in the upper half, the element of depth in the lower, so that sorting
/// them is stable.
std::vector<std::uint64_t> keys_of(const Geometry& g, const Index& sizes,
                                   const std::vector<Projection>& projections) {
  std::vector<std::uint64_t> keys;
  const auto per_sample = g.cameras.size() / static_cast<std::size_t>(g.batch);
  std::uint64_t point = 0;
  for (std::size_t n = 0; n < projections.size(); ++n) {
    const auto sample = static_cast<std::int64_t>(n / per_sample);
    for (std::int64_t bin = 0; bin < sizes.depth_bins; ++bin) {
      const double depth = g.depth.lower + static_cast<double>(bin) * g.depth.step;
      for (std::int64_t i = 0; i < g.feature_height; ++i) {
        const double v = spread(i, g.feature_height, g.image_height);
        for (std::int64_t j = 0; j < g.feature_width; ++j, ++point) {
          const Vector p = projections[n](spread(j, g.feature_width, g.image_width), v, depth);
          const std::int64_t x = cell_of(p[0], g.x, sizes.width);
          const std::int64_t y = cell_of(p[1], g.y, sizes.height);
          const std::int64_t z = cell_of(p[2], g.z, sizes.z);
          if (x < 0 || y < 0 || z < 0) continue;
          const std::int64_t cell = ((sample * sizes.z + z) * sizes.height + y) * sizes.width + x;
          keys.push_back(static_cast<std::uint64_t>(cell) << 32 | point);
        }
      }
    }
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

Tensor tensor_of(const std::vector<std::int32_t>& values) {
  return Tensor::from({static_cast<std::int64_t>(values.size())}, values);
}

void fill_tensors(const Geometry& g, const std::vector<std::uint64_t>& keys, Index& index) {
  const std::int64_t area = g.feature_height * g.feature_width;
  std::vector<std::int32_t> depth;
  std::vector<std::int32_t> feat;
  std::vector<std::int32_t> cells;
  std::vector<std::int32_t> starts;
  std::vector<std::int32_t> lengths;
  for (const std::uint64_t key : keys) {
    const auto point = static_cast<std::int64_t>(key & 0xffffffffU);
    const auto cell = static_cast<std::int32_t>(key >> 32);
    if (cells.empty() || cells.back() != cell) {
      starts.push_back(static_cast<std::int32_t>(cells.size()));
      lengths.push_back(0);
    }
    ++lengths.back();
    depth.push_back(static_cast<std::int32_t>(point));
    feat.push_back(static_cast<std::int32_t>(point / (index.depth_bins * area) * area + point % area));
    cells.push_back(cell);
  }
  index.ranks_depth = tensor_of(depth);
  index.ranks_feat = tensor_of(feat);
  index.ranks_bev = tensor_of(cells);
  index.interval_starts = tensor_of(starts);
  index.interval_lengths = tensor_of(lengths);
}

}  // namespace

Result<Index> build_index(const Geometry& g) {
  if (g.batch < 1 || g.cameras.empty() || g.cameras.size() % static_cast<std::size_t>(g.batch) != 0)
    return invalid(std::to_string(g.cameras.size()) + " cameras for " + std::to_string(g.batch) +
                   " samples, expected the same number, at least one, for each");
  for (const std::int64_t size : {g.image_height, g.image_width, g.feature_height, g.feature_width}) {
    if (size < 1 || static_cast<double>(size) > kMost)
      return invalid("a picture or feature size is " + std::to_string(size) + ", expected at least 1");
  }
  Index index;
  TARMAC_CHECK_OK(check_axis("depth", g.depth));
  index.depth_bins = static_cast<std::int64_t>(std::ceil((g.depth.upper - g.depth.lower) / g.depth.step));
  TARMAC_TRY(index.width, cells_of("x", g.x));
  TARMAC_TRY(index.height, cells_of("y", g.y));
  TARMAC_TRY(index.z, cells_of("z", g.z));
  const auto too_many = [](const Shape& shape) {
    const auto count = element_count(shape);
    return !count || static_cast<double>(*count) > kMost;
  };
  const auto cameras = static_cast<std::int64_t>(g.cameras.size());
  if (too_many({cameras, index.depth_bins, g.feature_height, g.feature_width}))
    return invalid("more than 2147483647 points; take fewer depth bins or smaller features");
  if (too_many({g.batch, index.z, index.height, index.width}))
    return invalid("more than 2147483647 cells; take a smaller grid");

  std::vector<Projection> projections;
  for (std::size_t n = 0; n < g.cameras.size(); ++n) {
    TARMAC_TRY(const Projection projection, projection_of(g.cameras[n], n));
    projections.push_back(projection);
  }
  const auto keys = keys_of(g, index, projections);
  if (keys.empty())
    return invalid("no camera sees the grid: check units and direction of sensor_to_ego and the bounds");
  fill_tensors(g, keys, index);
  return index;
}

}  // namespace tarmac::ops::bev

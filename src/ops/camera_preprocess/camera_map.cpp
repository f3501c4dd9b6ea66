#include "ops/camera_preprocess/camera_map.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace tarmac::ops::camera {
namespace {

constexpr std::size_t kMaxSide = 32768;
constexpr std::size_t kMaxPixels = 100'000'000;
constexpr double kOne = 1 << CameraMap::kFractionBits;

/// What is far outside, NaN included, all looks alike: no neighbour is in the picture.
std::int32_t to_fixed(double position, int size) {
  if (!(position > -4.0)) return -4 * static_cast<std::int32_t>(kOne);
  if (position > size + 4.0) return (size + 4) * static_cast<std::int32_t>(kOne);
  // The centre of the last pixel has no right neighbour; a hair to the left it has one.
  const double last = size - 1;
  if (size > 1 && position >= last && position < last + 1 / kOne) position = last - 1 / kOne;
  return static_cast<std::int32_t>(std::nearbyint(position * kOne));
}

struct Range {
  std::int32_t first = 0;
  std::int32_t last = 0;
};

/// Whole pixels that a block's positions lie at.
Range range_of(const std::int32_t* positions) {
  const auto [low, high] = std::minmax_element(positions, positions + CameraMap::kBlock);
  return {*low >> CameraMap::kFractionBits, *high >> CameraMap::kFractionBits};
}

BlockKind kind_of(Range x, Range y, int height, int width) {
  if (x.last < -1 || x.first >= width || y.last < -1 || y.first >= height) return BlockKind::kOutside;
  const bool neighbours = x.first >= 0 && x.last <= width - 2 && y.first >= 0 && y.last <= height - 2;
  // A row's last bytes are followed by the next row's, but not in the last two (chroma has half as many).
  const bool readable = x.last + 4 <= width || y.last <= height - 4;
  return neighbours && readable ? BlockKind::kInside : BlockKind::kMixed;
}

/// `ys`: null where all have one row.
bool are_runs(const std::int32_t* xs, const std::int32_t* ys, int width) {
  constexpr std::int32_t kColumns = 16;
  const auto whole = [](std::int32_t position) { return position >> CameraMap::kFractionBits; };
  for (int first = 0; first < CameraMap::kBlock; first += 4) {
    const std::int32_t begin = whole(xs[first]) & ~1;
    if (begin + kColumns > width) return false;
    for (int i = first; i < first + 4; ++i) {
      if (whole(xs[i]) < begin || whole(xs[i]) + 3 >= begin + kColumns) return false;
      if (ys != nullptr && whole(ys[i]) != whole(ys[first])) return false;
    }
  }
  return true;
}

Error wrong(const std::string& what) { return make_error(ErrorCode::kInvalidInput, what); }

std::string size_text(std::size_t height, std::size_t width) {
  return std::to_string(height) + " x " + std::to_string(width);
}

Status check_sizes(const char* what, std::size_t height, std::size_t width) {
  if (height >= 1 && height <= kMaxSide && width >= 1 && width <= kMaxSide && height * width <= kMaxPixels)
    return {};
  return wrong(std::string("found ") + what + " of " + size_text(height, width) +
               " pixels; expected sides of 1 to 32768 and at most 100 million pixels");
}

}  // namespace

AxisStep resize_step(int from, int to) {
  const double scale = static_cast<double>(from) / to;
  return {scale, 0.5 * scale - 0.5, from - 1.0};
}

AxisStep crop_step(int from, int first) { return {1, static_cast<double>(first), from - 1.0}; }

std::vector<double> axis_positions(std::span<const AxisStep> steps, int count) {
  std::vector<double> positions(static_cast<std::size_t>(std::max(count, 0)));
  for (std::size_t i = 0; i < positions.size(); ++i) {
    auto position = static_cast<double>(i);
    for (std::size_t s = steps.size(); s-- > 0;)
      position = std::clamp(steps[s].scale * position + steps[s].offset, 0.0, steps[s].last);
    positions[i] = position;
  }
  return positions;
}

Position distort(const Lens& lens, double u, double v) {
  const double x = (u - lens.undistorted.cx) / lens.undistorted.fx;
  const double y = (v - lens.undistorted.cy) / lens.undistorted.fy;
  const double r2 = x * x + y * y;
  const auto& k = lens.coefficients;
  Position place;
  if (lens.model == LensModel::kFisheye) {
    const double r = std::sqrt(r2);
    const double t = std::atan(r);
    const double t2 = t * t;
    const double bent = t * (1 + t2 * (k[0] + t2 * (k[1] + t2 * (k[2] + t2 * k[3]))));
    const double scale = r > 0 ? bent / r : 1;
    place = {x * scale, y * scale};
  } else {
    const double q =
        (1 + r2 * (k[0] + r2 * (k[1] + r2 * k[4]))) / (1 + r2 * (k[5] + r2 * (k[6] + r2 * k[7])));
    place = {q * x + 2 * k[2] * x * y + k[3] * (r2 + 2 * x * x),
             q * y + k[2] * (r2 + 2 * y * y) + 2 * k[3] * x * y};
  }
  return {lens.camera.fx * place.x + lens.camera.cx, lens.camera.fy * place.y + lens.camera.cy};
}

Status check_lens(const Lens& lens) {
  for (const Intrinsics& intrinsics : {lens.camera, lens.undistorted}) {
    const auto& [fx, fy, cx, cy] = intrinsics;
    if (!std::isfinite(fx) || !std::isfinite(fy) || !std::isfinite(cx) || !std::isfinite(cy) || fx <= 0 ||
        fy <= 0) {
      return wrong("found the intrinsics " + std::to_string(fx) + ", " + std::to_string(fy) + ", " +
                   std::to_string(cx) + ", " + std::to_string(cy) +
                   "; expected finite numbers fx, fy, cx, cy with fx and fy above 0");
    }
  }
  for (const double coefficient : lens.coefficients) {
    if (!std::isfinite(coefficient)) return wrong("found a distortion coefficient that is not finite");
  }
  return {};
}

Position source_position(const MapSpec& spec, int row, int column) {
  const double x = spec.columns[static_cast<std::size_t>(column)];
  const double y = spec.rows[static_cast<std::size_t>(row)];
  return spec.lens ? distort(*spec.lens, x, y) : Position{x, y};
}

Result<CameraMap> CameraMap::make(const MapSpec& spec) {
  TARMAC_CHECK_OK(check_sizes("an output", spec.rows.size(), spec.columns.size()));
  const auto side = [](int size) { return static_cast<std::size_t>(std::max(size, 0)); };
  TARMAC_CHECK_OK(check_sizes("a frame", side(spec.source_height), side(spec.source_width)));
  if (spec.lens) {
    TARMAC_CHECK_OK(check_lens(*spec.lens));
  } else {
    for (const auto* axis : {&spec.rows, &spec.columns}) {
      if (!std::all_of(axis->begin(), axis->end(), [](double position) { return std::isfinite(position); }))
        return wrong("found a position that is not finite");
    }
  }
  CameraMap map;
  map.source_height_ = spec.source_height;
  map.source_width_ = spec.source_width;
  map.height_ = static_cast<int>(spec.rows.size());
  map.width_ = static_cast<int>(spec.columns.size());
  map.blocks_ = (map.width_ + kBlock - 1) / kBlock;
  map.dense_ = spec.lens.has_value();
  if (map.dense_) {
    map.fill_dense(spec);
  } else {
    map.fill_axes(spec);
  }
  map.find_kinds();
  return map;
}

void CameraMap::fill_dense(const MapSpec& spec) {
  x_.resize(at(height_));
  y_.resize(at(height_));
  for (int row = 0; row < height_; ++row) {
    for (int column = 0; column < blocks_ * kBlock; ++column) {
      const Position place = source_position(spec, row, std::min(column, width_ - 1));
      const std::size_t i = at(row) + static_cast<std::size_t>(column);
      x_[i] = to_fixed(place.x, source_width_);
      y_[i] = to_fixed(place.y, source_height_);
    }
  }
}

void CameraMap::fill_axes(const MapSpec& spec) {
  for (int column = 0; column < blocks_ * kBlock; ++column) {
    x_.push_back(
        to_fixed(spec.columns[static_cast<std::size_t>(std::min(column, width_ - 1))], source_width_));
  }
  for (const double position : spec.rows) y_.push_back(to_fixed(position, source_height_));
}

BlockKind CameraMap::kind_at(int row, int block) const {
  const std::ptrdiff_t first = std::ptrdiff_t{block} * kBlock;
  const std::int32_t* const block_ys = dense_ ? ys(row) + first : nullptr;
  const std::int32_t place = y(row) >> kFractionBits;
  const Range rows = dense_ ? range_of(block_ys) : Range{place, place};
  const BlockKind kind = kind_of(range_of(x(row) + first), rows, source_height_, source_width_);
  if (kind != BlockKind::kInside || !are_runs(x(row) + first, block_ys, source_width_)) return kind;
  return BlockKind::kRuns;
}

void CameraMap::find_kinds() {
  kinds_.reserve(static_cast<std::size_t>(height_) * static_cast<std::size_t>(blocks_));
  for (int row = 0; row < height_; ++row) {
    for (int block = 0; block < blocks_; ++block) kinds_.push_back(kind_at(row, block));
  }
}

}  // namespace tarmac::ops::camera

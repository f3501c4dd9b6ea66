#include "contract/trace_geometry.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "contract/preprocess_geometry.h"
#include "ops/camera_preprocess/camera_map.h"

namespace tarmac {
namespace {

/// One axis of the picture so far.
struct Axis {
  std::vector<std::int32_t> from;
  double scale = 1;
  double offset = 0;

  explicit Axis(int size) : from(static_cast<std::size_t>(size)) { std::iota(from.begin(), from.end(), 0); }

  [[nodiscard]] int size() const { return static_cast<int>(from.size()); }

  void resize(int to) {
    std::vector<std::int32_t> resized(static_cast<std::size_t>(to));
    const std::size_t old = from.size();
    for (std::size_t i = 0; i < resized.size(); ++i)
      resized[i] = from[(2 * i + 1) * old / (2 * resized.size())];
    const double by = static_cast<double>(to) / static_cast<double>(old);
    scale *= by;
    offset *= by;
    from = std::move(resized);
  }

  void crop(int first, int count) {
    from = std::vector<std::int32_t>(from.begin() + first, from.begin() + first + count);
    offset -= first;
  }

  void pad(int before, int after) {
    from.insert(from.begin(), static_cast<std::size_t>(before), -1);
    from.insert(from.end(), static_cast<std::size_t>(after), -1);
    offset += before;
  }
};

struct Tracer {
  Axis down;
  Axis across;

  Status operator()(const ResizeStep& step) {
    TARMAC_TRY(const Window size, resized_window(step, down.size(), across.size()));
    down.resize(size.height);
    across.resize(size.width);
    return step.mode == ResizeMode::kLetterbox ? (*this)(letterbox_pad(step, size.height, size.width))
                                               : Status();
  }
  Status operator()(const CropStep& step) {
    TARMAC_TRY(const Window crop, crop_window(step, down.size(), across.size()));
    down.crop(crop.top, crop.height);
    across.crop(crop.left, crop.width);
    return {};
  }
  Status operator()(const PadStep& step) {
    TARMAC_CHECK_OK(check_result_size(double(down.size()) + step.top + step.bottom,
                                      double(across.size()) + step.left + step.right));
    down.pad(step.top, step.bottom);
    across.pad(step.left, step.right);
    return {};
  }
  Status operator()(const DecodeStep& /*step*/) const { return {}; }
  Status operator()(const UndistortStep& /*step*/) const { return {}; }
  Status operator()(const NormalizeStep& /*step*/) const { return {}; }
};

const UndistortStep* find_undistort(const InputSpec& input) {
  for (const PreprocessStep& step : input.preprocess) {
    if (const auto* undistort = std::get_if<UndistortStep>(&step)) return undistort;
  }
  return nullptr;
}

/// The smallest box around the edges of `box`, as the lens bends them.
Box bend(const Lens& lens, const Box& box) {
  constexpr int kParts = 16;
  // Pixel centres are whole numbers to the lens, and halves to boxes.
  constexpr double kCentre = 0.5;
  std::optional<Box> bent;
  const auto add = [&](double x, double y) {
    const auto place = ops::camera::distort(lens, x - kCentre, y - kCentre);
    if (!std::isfinite(place.x) || !std::isfinite(place.y)) return;
    const double px = place.x + kCentre;
    const double py = place.y + kCentre;
    if (!bent) bent = Box{px, py, px, py};
    *bent = {std::min(bent->x1, px), std::min(bent->y1, py), std::max(bent->x2, px), std::max(bent->y2, py)};
  };
  for (int i = 0; i <= kParts; ++i) {
    const double share = static_cast<double>(i) / kParts;
    const double x = box.x1 + share * (box.x2 - box.x1);
    const double y = box.y1 + share * (box.y2 - box.y1);
    add(x, box.y1);
    add(x, box.y2);
    add(box.x1, y);
    add(box.x2, y);
  }
  return bent.value_or(box);
}

}  // namespace

Box GeometryTrace::invert(const Box& box) const {
  return {(box.x1 - x_offset) / x_scale, (box.y1 - y_offset) / y_scale, (box.x2 - x_offset) / x_scale,
          (box.y2 - y_offset) / y_scale};
}

Box to_picture(const InputSpec& input, const GeometryTrace& trace, int height, int width, const Box& box) {
  Box found = trace.invert(box);
  if (const UndistortStep* undistort = find_undistort(input)) found = bend(undistort->lens, found);
  const auto cut = [](double at, int size) { return std::clamp(at, 0.0, static_cast<double>(size)); };
  return {cut(found.x1, width), cut(found.y1, height), cut(found.x2, width), cut(found.y2, height)};
}

Box GeometryTrace::apply(const Box& box) const {
  const auto along = [](double at, double scale, double offset, std::size_t size) {
    return std::clamp(at * scale + offset, 0.0, static_cast<double>(size));
  };
  return {along(box.x1, x_scale, x_offset, columns.size()), along(box.y1, y_scale, y_offset, rows.size()),
          along(box.x2, x_scale, x_offset, columns.size()), along(box.y2, y_scale, y_offset, rows.size())};
}

Result<GeometryTrace> trace_geometry(const InputSpec& input, int height, int width) {
  Tracer tracer{Axis(height), Axis(width)};
  for (const PreprocessStep& step : input.preprocess) TARMAC_CHECK_OK(std::visit(tracer, step));
  return GeometryTrace{std::move(tracer.down.from), std::move(tracer.across.from), tracer.down.scale,
                       tracer.down.offset,          tracer.across.scale,           tracer.across.offset};
}

}  // namespace tarmac

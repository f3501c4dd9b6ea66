#include "contract/trace_geometry.h"

#include <algorithm>
#include <numeric>

#include "contract/preprocess_geometry.h"

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

}  // namespace

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

// In one pass: every step becomes a place in the camera's picture, or a colour of padding.
#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <mutex>

#include "contract/preprocess_geometry.h"
#include "ops/camera_preprocess/fused.h"

namespace tarmac {
namespace {

using ops::camera::AxisStep;
using ops::camera::CameraMap;
using ops::camera::FrameView;

struct Fill {
  Window where;
  PadValue value{};
};

Window shifted(Window window, int down, int right) {
  window.top += down;
  window.left += right;
  return window;
}

/// What of `window` lies in a crop, seen from the crop's corner.
Window cut(const Window& window, const Window& crop) {
  const int top = std::max(window.top, crop.top);
  const int left = std::max(window.left, crop.left);
  const int bottom = std::min(window.top + window.height, crop.top + crop.height);
  const int right = std::min(window.left + window.width, crop.left + crop.width);
  return {top - crop.top, left - crop.left, std::max(0, bottom - top), std::max(0, right - left)};
}

/// The steps for frames of one size: a result with the picture in a window of it, and padding around.
class Plan {
 public:
  Plan(int height, int width) : height_(height), width_(width), picture_{0, 0, height, width} {}

  Status apply(const ResizeStep& step) {
    TARMAC_TRY(const Window size, resized_window(step, height_, width_));
    down_.push_back(ops::camera::resize_step(height_, size.height));
    across_.push_back(ops::camera::resize_step(width_, size.width));
    picture_ = size;
    height_ = size.height;
    width_ = size.width;
    if (step.mode != ResizeMode::kLetterbox) return {};
    return apply(letterbox_pad(step, height_, width_));
  }

  Status apply(const CropStep& step) {
    TARMAC_TRY(const Window crop, crop_window(step, height_, width_));
    down_.push_back(ops::camera::crop_step(picture_.height, std::max(0, crop.top - picture_.top)));
    across_.push_back(ops::camera::crop_step(picture_.width, std::max(0, crop.left - picture_.left)));
    picture_ = cut(picture_, crop);
    for (Fill& fill : fills_) fill.where = cut(fill.where, crop);
    height_ = crop.height;
    width_ = crop.width;
    return {};
  }

  Status apply(const PadStep& step) {
    TARMAC_CHECK_OK(
        check_result_size(double(height_) + step.top + step.bottom, double(width_) + step.left + step.right));
    picture_ = shifted(picture_, step.top, step.left);
    for (Fill& fill : fills_) fill.where = shifted(fill.where, step.top, step.left);
    height_ += step.top + step.bottom;
    width_ += step.left + step.right;
    fills_.push_back({{0, 0, height_, width_}, step.pad_value});
    return {};
  }

  Status apply(const DecodeStep& /*step*/) { return {}; }
  Status apply(const UndistortStep& /*step*/) { return {}; }
  Status apply(const NormalizeStep& /*step*/) { return {}; }

  [[nodiscard]] int height() const { return height_; }
  [[nodiscard]] int width() const { return width_; }
  [[nodiscard]] const Window& picture() const { return picture_; }
  /// To be painted from the last to the first, the picture after them.
  [[nodiscard]] const std::vector<Fill>& fills() const { return fills_; }
  [[nodiscard]] bool has_picture() const { return picture_.height > 0 && picture_.width > 0; }

  [[nodiscard]] Result<CameraMap> map(int height, int width, const std::optional<Lens>& lens) const {
    return CameraMap::make({height, width, ops::camera::axis_positions(down_, picture_.height),
                            ops::camera::axis_positions(across_, picture_.width), lens});
  }

 private:
  int height_;
  int width_;
  Window picture_;
  std::vector<AxisStep> down_;
  std::vector<AxisStep> across_;
  std::vector<Fill> fills_;
};

/// A plan and its map, for frames of one size.
struct Prepared {
  Plan plan;
  std::optional<CameraMap> map;  ///< Absent where nothing of the picture is left.
};

struct Sized {
  int height = 0;
  int width = 0;
  Prepared prepared;
};

class FusedGeometry final : public PictureGeometry {
 public:
  static Result<std::shared_ptr<const PictureGeometry>> make(const PictureSteps& steps) {
    ops::camera::ColorSpec color;
    if (const auto& raw = steps.decode.raw) {
      color.format = raw->format;
      color.matrix = raw->matrix;
      color.range = raw->range;
    }
    color.order = steps.decode.color;
    color.scale = steps.normalize.scale;
    color.mean = steps.normalize.mean;
    color.std = steps.normalize.std;
    auto made = std::make_shared<FusedGeometry>();
    TARMAC_TRY(made->color_, ops::camera::make_color_transform(color));
    made->table_ = make_pack_table(steps.dtype, steps.normalize);
    made->layout_ = steps.layout;
    made->steps_ = steps.geometry;
    if (steps.undistort) {
      made->lens_ = steps.undistort->lens;
      TARMAC_TRY(made->fixed_, made->prepare(steps.undistort->height, steps.undistort->width));
    } else if (steps.decode.raw) {
      TARMAC_TRY(made->fixed_, made->prepare(steps.decode.raw->height, steps.decode.raw->width));
    }
    return std::shared_ptr<const PictureGeometry>(std::move(made));
  }

  Status run(const FrameView& frame, const Room& room) const override {
    try {
      if (fixed_) return run(*fixed_, frame, room);
      // A camera's frames have one size: what was worked out for the latest serves the next.
      std::shared_ptr<const Sized> sized = latest();
      if (sized == nullptr || sized->height != frame.height || sized->width != frame.width) {
        TARMAC_TRY(Prepared prepared, prepare(frame.height, frame.width));
        sized = std::make_shared<const Sized>(Sized{frame.height, frame.width, std::move(prepared)});
        const std::lock_guard lock(mutex_);
        latest_ = sized;
      }
      return run(sized->prepared, frame, room);
    } catch (const std::bad_alloc&) {
      return make_error(ErrorCode::kResourceExhausted, "not enough memory to preprocess the picture");
    }
  }

 private:
  [[nodiscard]] std::shared_ptr<const Sized> latest() const {
    const std::lock_guard lock(mutex_);
    return latest_;
  }

  [[nodiscard]] Result<Prepared> prepare(int height, int width) const {
    Prepared prepared{Plan(height, width), std::nullopt};
    for (const PreprocessStep& step : steps_)
      TARMAC_CHECK_OK(std::visit([&](const auto& typed) { return prepared.plan.apply(typed); }, step));
    if (prepared.plan.has_picture()) {
      TARMAC_TRY(prepared.map, prepared.plan.map(height, width, lens_));
    }
    return prepared;
  }

  Status run(const Prepared& prepared, const FrameView& frame, const Room& room) const {
    const Plan& plan = prepared.plan;
    TARMAC_TRY(std::byte* const out, room(plan.height(), plan.width()));
    auto output = ops::camera::FusedOutput::dense(table_.dtype, layout_, out, table_.channels, plan.height(),
                                                  plan.width());
    for (std::size_t i = plan.fills().size(); i-- > 0;) paint(plan.fills()[i], output);
    if (!prepared.map) return {};
    output.data += at(output, 0, plan.picture().top, plan.picture().left);
    ops::Serial alone;  // pictures are what runs in parallel
    return ops::camera::fuse_frames({&frame, 1}, {&*prepared.map, 1}, color_, output, alone);
  }

  /// Byte of an element.
  [[nodiscard]] std::size_t at(const ops::camera::FusedOutput& output, int channel, int row,
                               int column) const {
    const bool nchw = layout_ == Layout::kNCHW;
    const std::int64_t element =
        row * output.row_stride +
        (nchw ? channel * output.plane_stride + column : std::int64_t{column} * table_.channels + channel);
    return static_cast<std::size_t>(element) * element_bytes();
  }

  [[nodiscard]] std::size_t element_bytes() const {
    return static_cast<std::size_t>(bit_width(table_.dtype)) / 8;
  }

  void paint(const Fill& fill, const ops::camera::FusedOutput& output) const {
    const auto& [top, left, height, width] = fill.where;
    for (int channel = 0; channel < table_.channels; ++channel) {
      const std::size_t value = fill.value[static_cast<std::size_t>(channel)];
      const std::byte* element =
          &table_.elements[(static_cast<std::size_t>(channel) * 256 + value) * element_bytes()];
      for (int row = top; row < top + height; ++row) {
        for (int column = left; column < left + width; ++column)
          std::memcpy(output.data + at(output, channel, row, column), element, element_bytes());
      }
    }
  }

  ops::camera::ColorTransform color_;
  PackTable table_;  ///< For padding.
  Layout layout_ = Layout::kNCHW;
  std::vector<PreprocessStep> steps_;
  std::optional<Lens> lens_;
  std::optional<Prepared> fixed_;  ///< Where all frames have one size.
  // Not std::atomic: the one of g++ 12 lets a pointer be read after its own lock is gone.
  mutable std::mutex mutex_;  // held while a pointer is copied
  mutable std::shared_ptr<const Sized> latest_;
};

}  // namespace

Result<std::shared_ptr<const PictureGeometry>> make_fused_geometry(const PictureSteps& steps) {
  return FusedGeometry::make(steps);
}

}  // namespace tarmac

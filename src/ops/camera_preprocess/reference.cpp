#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "ops/camera_preprocess/operator.h"
#include "ops/camera_preprocess/settings.h"
#include "tensor/codec.h"

namespace tarmac::ops::camera {
namespace {

using Values = std::array<double, 3>;

/// What a frame holds at a pixel: Y U V, or its own channels; the border outside.
Values pixel(const FrameView& frame, const ColorTransform& color, double x, double y) {
  if (!(x >= 0 && x < frame.width && y >= 0 && y < frame.height))
    return {color.border[0], color.border[1], color.border[2]};
  const auto column = static_cast<std::size_t>(x);
  const auto row = static_cast<std::size_t>(y);
  const std::uint8_t* bytes = frame.data + row * frame.row_bytes;
  switch (frame.format) {
    case PixelFormat::kNv12: {
      const std::uint8_t* uv = frame.chroma + row / 2 * frame.chroma_row_bytes + column / 2 * 2;
      return {double(bytes[column]), double(uv[0]), double(uv[1])};
    }
    case PixelFormat::kYuyv: {
      const std::uint8_t* pair = bytes + column / 2 * 4;
      return {double(bytes[2 * column]), double(pair[1]), double(pair[3])};
    }
    default:
      return {double(bytes[3 * column]), double(bytes[3 * column + 1]), double(bytes[3 * column + 2])};
  }
}

Values interpolate(const FrameView& frame, const ColorTransform& color, Position at) {
  const double x = std::floor(at.x);
  const double y = std::floor(at.y);
  Values sum{};
  for (const double dy : {0.0, 1.0}) {
    for (const double dx : {0.0, 1.0}) {
      const double weight = (dx > 0 ? at.x - x : 1 - (at.x - x)) * (dy > 0 ? at.y - y : 1 - (at.y - y));
      const Values corner = pixel(frame, color, x + dx, y + dy);
      // Far outside (infinite, or not a number) the border alone counts.
      for (std::size_t k = 0; k < 3; ++k)
        sum[k] += std::isfinite(weight) ? weight * corner[k] : corner[k] / 4;
    }
  }
  return sum;
}

double normalised(const ColorTransform& color, const Values& values, std::size_t channel) {
  double result = color.offset[channel];
  for (std::size_t k = 0; k < 3; ++k) {
    const double value = k == 0 ? std::max(values[0], double{color.floor}) : values[k];
    result += color.matrix[channel][k] * value;
  }
  return std::clamp(result, 0.0, 255.0) * color.gain[channel] + color.bias[channel];
}

template <typename T>
T saturate(double value) {
  return static_cast<T>(
      std::clamp<double>(value, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
}

void store(const Settings& settings, const TensorView& output, std::size_t i, double value) {
  const double whole = std::nearbyint(value) + settings.zero_point;
  switch (settings.dtype) {
    case DType::kFloat16:
      output.as<std::uint16_t>()[i] = float_to_half(static_cast<float>(value));
      break;
    case DType::kInt8:
      output.as<std::int8_t>()[i] = saturate<std::int8_t>(whole);
      break;
    case DType::kUint8:
      output.as<std::uint8_t>()[i] = saturate<std::uint8_t>(whole);
      break;
    default:
      output.as<float>()[i] = static_cast<float>(value);
      break;
  }
}

class Reference final : public Kernel {
 public:
  Reference(Settings settings, const ColorTransform& color) : settings_(std::move(settings)), color_(color) {}

  Status run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
             Parallel& /*parallel*/) const override {
    std::vector<FrameView> frames(static_cast<std::size_t>(inputs[0].dim(0)));
    TARMAC_CHECK_OK(read_frames(settings_, inputs[0], frames));
    const auto channels = static_cast<std::size_t>(settings_.channels());
    const auto height = static_cast<std::size_t>(settings_.height());
    const auto width = static_cast<std::size_t>(settings_.width());
    for (std::size_t n = 0; n < frames.size(); ++n) {
      const MapSpec& map = settings_.maps[settings_.maps.size() == 1 ? 0 : n];
      for (std::size_t i = 0; i < height; ++i) {
        for (std::size_t j = 0; j < width; ++j) {
          const Position at = source_position(map, static_cast<int>(i), static_cast<int>(j));
          const Values values = interpolate(frames[n], color_, at);
          for (std::size_t c = 0; c < channels; ++c) {
            const std::size_t to = settings_.layout == Layout::kNCHW
                                       ? ((n * channels + c) * height + i) * width + j
                                       : ((n * height + i) * width + j) * channels + c;
            store(settings_, outputs[0], to, normalised(color_, values, c));
          }
        }
      }
    }
    return {};
  }

 private:
  Settings settings_;
  ColorTransform color_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_reference(const Attributes& attributes) {
  TARMAC_TRY(Settings settings, read_settings(attributes));
  TARMAC_TRY(const ColorTransform color, make_color_transform(settings.color));
  return std::unique_ptr<Kernel>(std::make_unique<Reference>(std::move(settings), color));
}

}  // namespace tarmac::ops::camera

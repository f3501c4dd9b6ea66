// Convolution whose taps are moved by offsets that a network computed.
#pragma once

#include "ops/operator.h"

namespace tarmac::ops {

const Operator& deform_conv2d();

namespace deform {

/// Inputs in the schema's order.
inline constexpr std::size_t kX = 0;
inline constexpr std::size_t kW = 1;
inline constexpr std::size_t kOffset = 2;
inline constexpr std::size_t kBias = 3;
inline constexpr std::size_t kMask = 4;

/// The attributes, read.
struct Settings {
  std::int64_t stride_y = 1;
  std::int64_t stride_x = 1;
  std::int64_t dilation_y = 1;
  std::int64_t dilation_x = 1;
  std::int64_t pad_top = 0;
  std::int64_t pad_left = 0;
  std::int64_t pad_bottom = 0;
  std::int64_t pad_right = 0;
  std::int64_t groups = 1;
  std::int64_t offset_groups = 1;
  std::vector<std::int64_t> kernel_shape;  ///< empty: W's
};
Result<Settings> read_settings(const Attributes& attributes);

/// Sizes of a call.
struct Geometry {
  std::int64_t batch = 0;
  std::int64_t channels = 0;
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t out_channels = 0;
  std::int64_t out_height = 0;
  std::int64_t out_width = 0;
  std::int64_t kernel_height = 0;
  std::int64_t kernel_width = 0;
  std::int64_t group_channels = 0;         ///< of the input, in one group
  std::int64_t group_out_channels = 0;     ///< of the output, in one group
  std::int64_t offset_group_channels = 0;  ///< that share their offsets

  [[nodiscard]] std::int64_t taps() const { return kernel_height * kernel_width; }
  [[nodiscard]] std::int64_t positions() const { return out_height * out_width; }
  [[nodiscard]] std::int64_t map_size() const { return height * width; }
};
Geometry geometry_of(const Settings& settings, const ConstTensorView& x, const ConstTensorView& w,
                     const TensorView& y);

/// Coordinates are kept within ± this: beyond it a float has no neighbours. NaN counts as the lower end.
inline constexpr float kFarthest = 33554432.0F;  // 2^25
/// The longest axis whose positions a float tells apart with their halves.
inline constexpr std::int64_t kLongestAxis = 8388608;  // 2^23

Result<std::unique_ptr<Kernel>> make_reference(const Attributes& attributes);
Result<std::unique_ptr<Kernel>> make_cpu(const Attributes& attributes);

}  // namespace deform
}  // namespace tarmac::ops

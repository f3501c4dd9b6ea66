// Values of a map at given positions, in two or three dimensions.
#pragma once

#include "ops/operator.h"

namespace tarmac::ops {

const Operator& grid_sample();

namespace grid {

enum class Mode : std::uint8_t { kLinear, kNearest, kCubic };
enum class Padding : std::uint8_t { kZeros, kBorder, kReflection };

/// The attributes, read.
struct Settings {
  Mode mode = Mode::kLinear;
  Padding padding = Padding::kZeros;
  bool align_corners = false;
};
Result<Settings> read_settings(const Attributes& attributes);

/// Coordinates, in elements of an axis, are kept within ± this: beyond it a float has no neighbours. NaN
/// counts as the lower end.
inline constexpr float kFarthest = 33554432.0F;  // 2^25
/// Reflection of what lies farther out than this is the first element.
inline constexpr float kReflected = 16777216.0F;  // 2^24
/// The longest axis whose positions a float tells apart with their halves.
inline constexpr std::int64_t kLongestAxis = 8388608;  // 2^23

/// Sizes of a call: 4-D is 5-D with one slice.
struct Geometry {
  std::int64_t batch = 0;
  std::int64_t channels = 0;
  std::int64_t sizes[3] = {1, 1, 1};  ///< depth, height, width of the map
  std::int64_t positions = 0;         ///< sampled in each map
  std::int64_t axes = 2;              ///< coordinates of a position, x first

  [[nodiscard]] std::int64_t map_size() const { return sizes[0] * sizes[1] * sizes[2]; }
};
Geometry geometry_of(const ConstTensorView& x, const ConstTensorView& grid);

Result<std::unique_ptr<Kernel>> make_reference(const Attributes& attributes);
Result<std::unique_ptr<Kernel>> make_cpu(const Attributes& attributes);

}  // namespace grid
}  // namespace tarmac::ops

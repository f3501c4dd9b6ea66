// Non-maximum suppression of centres that are near each other.
#pragma once

#include <vector>

#include "ops/nms.h"

namespace tarmac::ops {

const Operator& circle_nms();

namespace circle_nms_kernels {

struct Settings {
  nms::Options options;
  std::vector<float> squared_radius;

  /// Of this class; -1, which suppresses nothing, for one that has none.
  [[nodiscard]] double squared_radius_of(std::int32_t label) const {
    if (squared_radius.size() == 1) return squared_radius[0];
    const auto i = static_cast<std::size_t>(label);
    return label >= 0 && i < squared_radius.size() ? squared_radius[i] : -1;
  }
};
Result<Settings> read_settings(const Attributes& attributes);

/// The centres' distance, squared; exact differences of float32 numbers squared in double.
inline double squared_distance(const float* a, const float* b) {
  const double dx = static_cast<double>(a[0]) - b[0];
  const double dy = static_cast<double>(a[1]) - b[1];
  return dx * dx + dy * dy;
}

/// Both coordinates are finite.
bool is_sound_centre(const float* box);

Result<std::unique_ptr<Kernel>> make_reference(const Attributes& attributes);
Result<std::unique_ptr<Kernel>> make_cpu(const Attributes& attributes);

}  // namespace circle_nms_kernels
}  // namespace tarmac::ops

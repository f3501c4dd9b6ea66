// From the heads of a detector to boxes.
#pragma once

#include <array>
#include <optional>

#include "ops/operator.h"

namespace tarmac::ops {

const Operator& box_decode_3d();

namespace box_decode_kernels {

enum class Style : std::uint8_t { kCenterPoint, kBevFormer };

struct Settings {
  Style style = Style::kCenterPoint;
  std::int64_t max_boxes = 0;
  float score_threshold = 0;
  bool sigmoid = true;
  bool exp_size = true;
  bool peaks_only = false;
  bool normalized = false;
  bool legacy_axes = false;
  bool cos_first = false;
  float cell_x = 0, cell_y = 0;  ///< of the map, in metres
  std::array<float, 6> range{};
  std::optional<std::array<float, 6>> post_center_range;
};
/// Errors: kInvalidInput for what is missing, too much or makes no sense.
Result<Settings> read_settings(const Attributes& attributes);

/// One batch entry's heads. A place is where a score stands in its batch entry.
class Decoder {
 public:
  Decoder(const Settings& settings, std::span<const ConstTensorView> inputs);

  [[nodiscard]] std::int64_t batches() const { return scores_.dim(0); }
  [[nodiscard]] std::int64_t places() const;
  [[nodiscard]] const ConstTensorView& scores() const { return scores_; }

  /// The score that a number stands for, and whether its box may be taken: NaN and −∞ never.
  [[nodiscard]] float score(float value) const;
  [[nodiscard]] bool passes(float value) const;
  /// No neighbour of the place in its map of 3 × 3 is greater; `values` of this batch entry.
  [[nodiscard]] bool is_peak(const float* values, std::int64_t place) const;

  /// Writes the boxes at `places`, best first, as far as their centres are in range, then padding.
  void emit(std::int64_t b, const float* values, std::span<const std::uint64_t> places,
            std::span<const TensorView> outputs) const;

 private:
  [[nodiscard]] std::int32_t label(std::int64_t place) const;
  /// x, y, z, dx, dy, dz, yaw, vx, vy; without velocities the last two are not set.
  [[nodiscard]] std::array<float, 9> box(std::int64_t b, std::int64_t place) const;

  const Settings& settings_;
  ConstTensorView scores_;
  std::array<ConstTensorView, 5> heads_;  ///< regression, height, size, rotation, velocity
};

Result<std::unique_ptr<Kernel>> make_reference(const Attributes& attributes);
Result<std::unique_ptr<Kernel>> make_cpu(const Attributes& attributes);

}  // namespace box_decode_kernels
}  // namespace tarmac::ops

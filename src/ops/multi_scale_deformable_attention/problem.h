// What one run of MultiScaleDeformableAttention is about, read from its inputs and checked.
#pragma once

#include <array>
#include <span>

#include "ops/operator.h"

namespace tarmac::ops::msda {

/// How reference points and offsets make locations.
enum class ReferenceMode : std::uint8_t { kLevels, kPoints };

struct Options {
  bool softmax = false;
  ReferenceMode reference_mode = ReferenceMode::kLevels;
};

/// Errors: kInvalidModel for values that the attributes do not have.
Result<Options> read_options(const Attributes& attributes);

struct Level {
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t start = 0;  ///< row of `value` that holds its first cell
};

inline constexpr std::int64_t kMaxLevels = 32;
/// Heights and widths beyond are refused: float32 would not tell the cells apart.
inline constexpr std::int64_t kMaxSide = std::int64_t{1} << 24;

struct Problem {
  Options options;
  ConstTensorView value;
  ConstTensorView sampling;
  ConstTensorView weights;
  ConstTensorView reference;  ///< may be missing, as those below
  ConstTensorView value_scale;
  ConstTensorView mask;
  TensorView output;

  std::int64_t batch = 0;
  std::int64_t cells = 0;  ///< S, rows of `value`
  std::int64_t heads = 0;
  std::int64_t depth = 0;
  std::int64_t queries = 0;
  std::int64_t points = 0;
  std::int64_t references = 0;       ///< R; 0 without reference points
  std::int64_t reference_width = 0;  ///< 2: points, 4: boxes

  std::array<Level, kMaxLevels> level_storage;
  std::int64_t level_count = 0;

  [[nodiscard]] std::span<const Level> levels() const {
    return {level_storage.data(), static_cast<std::size_t>(level_count)};
  }
  /// Points that one head of one query looks at.
  [[nodiscard]] std::int64_t samples() const { return level_count * points; }
  /// The row of `input` that belongs to batch entry b: one of a smaller batch serves entries in turn.
  [[nodiscard]] std::int64_t row(const ConstTensorView& input, std::int64_t b) const {
    return b / (batch / input.dim(0));
  }
  /// The reference that a sample of level l and point p starts from.
  [[nodiscard]] std::int64_t reference_of(std::int64_t l, std::int64_t p) const {
    if (options.reference_mode == ReferenceMode::kPoints) return p % references;
    return references == 1 ? 0 : l;
  }
  [[nodiscard]] bool visible(std::int64_t b, std::int64_t q) const {
    return !mask.present() || std::to_integer<int>(mask.data[row(mask, b) * queries + q]) != 0;
  }
  /// What an int8 value of this channel is multiplied by.
  [[nodiscard]] float scale_of(std::int64_t head, std::int64_t channel) const;
};

/// Errors: kInvalidInput for levels that are negative, too large or do not lie within `value`.
Result<Problem> read_problem(const Options& options, std::span<const ConstTensorView> inputs,
                             std::span<const TensorView> outputs);

}  // namespace tarmac::ops::msda

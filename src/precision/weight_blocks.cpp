#include "precision/weight_blocks.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <limits>

namespace tarmac {
namespace {

constexpr float kSteps = 15.0F;
constexpr float kMiddle = 8;  // the zero point of symmetric blocks
constexpr float kLeast = 1e-30F;
constexpr std::array kNarrowings = {1.0F, 0.95F, 0.9F, 0.85F, 0.8F, 0.7F, 0.6F};

/// v must not be negative but for rounding.
std::uint8_t nearest_code(float v) {
  return static_cast<std::uint8_t>(std::clamp(v + 0.5F, 0.0F, kSteps + 0.5F));
}

/// One row of blocks at a time, all columns in the inner loops.
class BlockRow {
 public:
  BlockRow(const float* weights, const float* importance, const BlockLayout& layout)
      : weights_(weights),
        importance_(importance),
        block_(layout.block),
        symmetric_(layout.symmetric),
        columns_(layout.columns),
        low_(columns_, 0.0F),
        high_(columns_, 0.0F),
        scale_(columns_),
        zero_(columns_),
        error_(columns_) {
    for (std::size_t k = 0; k < block_; ++k) {
      const float* row = weights_ + k * columns_;
      for (std::size_t c = 0; c < columns_; ++c) {
        low_[c] = std::min(low_[c], row[c]);
        high_[c] = std::max(high_[c], row[c]);
      }
    }
  }

  void choose(float* scales, std::uint8_t* zero_points) {
    if (importance_ == nullptr) {
      narrow(1.0F);
      std::copy(scale_.begin(), scale_.end(), scales);
      std::copy(zero_.begin(), zero_.end(), zero_points);
      return;
    }
    std::vector<float> best(columns_, std::numeric_limits<float>::infinity());
    for (const float share : kNarrowings) {
      narrow(share);
      measure();
      for (std::size_t c = 0; c < columns_; ++c) {
        if (error_[c] >= best[c]) continue;
        best[c] = error_[c];
        scales[c] = scale_[c];
        zero_points[c] = static_cast<std::uint8_t>(zero_[c]);
      }
    }
  }

 private:
  void narrow(float share) {
    for (std::size_t c = 0; c < columns_; ++c) {
      const float range = symmetric_ ? std::max(high_[c] / (kSteps - kMiddle), -low_[c] / kMiddle)
                                     : (high_[c] - low_[c]) / kSteps;
      const float scale = range * share;
      const bool flat = scale < kLeast;
      scale_[c] = flat ? 1.0F : scale;
      zero_[c] = symmetric_ ? kMiddle
                 : flat     ? 0.0F
                            : static_cast<float>(nearest_code(-low_[c] * share / scale));
    }
  }

  void measure() {
    std::fill(error_.begin(), error_.end(), 0.0F);
    for (std::size_t k = 0; k < block_; ++k) {
      const float* row = weights_ + k * columns_;
      const float weight = importance_[k];
      for (std::size_t c = 0; c < columns_; ++c) {
        const float code = static_cast<float>(nearest_code(row[c] / scale_[c] + zero_[c]));
        const float difference = row[c] - (code - zero_[c]) * scale_[c];
        error_[c] += weight * difference * difference;
      }
    }
  }

  const float* weights_;
  const float* importance_;  // null: nearest
  std::size_t block_;
  bool symmetric_;
  std::size_t columns_;
  std::vector<float> low_;
  std::vector<float> high_;
  std::vector<float> scale_;
  std::vector<float> zero_;  // whole numbers
  std::vector<float> error_;
};

}  // namespace

WeightBlocks round_blocks(std::span<const float> weights, const BlockLayout& layout,
                          std::span<const float> importance) {
  assert(layout.rows % layout.block == 0 && weights.size() == layout.rows * layout.columns);
  const std::size_t columns = layout.columns;
  WeightBlocks found;
  found.codes.resize(weights.size());
  found.scales.resize(layout.blocks());
  found.zero_points.resize(layout.blocks());
  for (std::size_t first = 0; first < layout.rows; first += layout.block) {
    float* scales = found.scales.data() + first / layout.block * columns;
    std::uint8_t* zero_points = found.zero_points.data() + first / layout.block * columns;
    BlockRow(weights.data() + first * columns, importance.empty() ? nullptr : importance.data() + first,
             layout)
        .choose(scales, zero_points);
    for (std::size_t k = first; k < first + layout.block; ++k) {
      const float* row = weights.data() + k * columns;
      std::uint8_t* codes = found.codes.data() + k * columns;
      for (std::size_t c = 0; c < columns; ++c)
        codes[c] = nearest_code(row[c] / scales[c] + static_cast<float>(zero_points[c]));
    }
  }
  return found;
}

void dequantize(const WeightBlocks& blocks, const BlockLayout& layout, std::span<float> out) {
  for (std::size_t k = 0; k < layout.rows; ++k) {
    const std::size_t at = k / layout.block * layout.columns;
    for (std::size_t c = 0; c < layout.columns; ++c) {
      const std::size_t i = k * layout.columns + c;
      out[i] = static_cast<float>(blocks.codes[i] - blocks.zero_points[at + c]) * blocks.scales[at + c];
    }
  }
}

Tensor pack_uint4(const Shape& shape, std::span<const std::uint8_t> codes) {
  auto packed = std::make_shared<std::vector<std::byte>>((codes.size() + 1) / 2);
  for (std::size_t i = 0; i < codes.size(); ++i)
    (*packed)[i / 2] |= static_cast<std::byte>(i % 2 == 0 ? codes[i] : codes[i] << 4U);
  auto tensor = Tensor::view(DType::kUint4, shape, *packed, packed);
  assert(tensor);
  return *std::move(tensor);
}

}  // namespace tarmac

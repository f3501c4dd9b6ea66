#include "precision/activation_aware.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace tarmac {
namespace {

constexpr int kAlphas = 11;  // 0, 0.1, … 1
constexpr std::size_t kTile = 64;
constexpr std::size_t kTiles = 8;

std::vector<float> scale_for(const ActivationProfile& profile, double alpha) {
  std::vector<double> scale(profile.mean_abs.size());
  double smallest = std::numeric_limits<double>::infinity();
  double largest = 0;
  for (std::size_t k = 0; k < scale.size(); ++k) {
    // A channel that is always zero here must not get weights that are zero for ever.
    scale[k] = std::pow(std::max(profile.mean_abs[k], 1e-4), alpha);
    smallest = std::min(smallest, scale[k]);
    largest = std::max(largest, scale[k]);
  }
  const double middle = std::sqrt(smallest * largest);
  std::vector<float> result(scale.size());
  for (std::size_t k = 0; k < scale.size(); ++k) result[k] = static_cast<float>(scale[k] / middle);
  return result;
}

/// Some columns of a matrix, and what the profile's rows make of them.
class Tile {
 public:
  Tile(const ActivationProfile& profile, const ProductMatrix& matrix, std::size_t first_column)
      : profile_(profile), layout_{matrix.layout.rows, kTile, matrix.layout.block} {
    layout_.columns = std::min(kTile, matrix.layout.columns - first_column);
    weights_.reserve(layout_.rows * layout_.columns);
    for (std::size_t k = 0; k < layout_.rows; ++k) {
      const float* row = matrix.values.data() + k * matrix.layout.columns + first_column;
      weights_.insert(weights_.end(), row, row + layout_.columns);
    }
    scaled_.resize(weights_.size());
    rounded_.resize(weights_.size());
  }

  /// ‖x·W‖² over the rows.
  [[nodiscard]] double energy() const { return energy_of(weights_); }

  /// ‖x·W − (x/s)·Q(s·W)‖²
  double error(const std::vector<float>& scale, std::span<const float> importance) {
    const std::size_t columns = layout_.columns;
    for (std::size_t k = 0; k < layout_.rows; ++k) {
      for (std::size_t c = 0; c < columns; ++c)
        scaled_[k * columns + c] = weights_[k * columns + c] * scale[k];
    }
    dequantize(round_blocks(scaled_, layout_, importance), layout_, rounded_);
    for (std::size_t k = 0; k < layout_.rows; ++k) {
      for (std::size_t c = 0; c < columns; ++c) {
        const std::size_t i = k * columns + c;
        rounded_[i] = weights_[i] - rounded_[i] / scale[k];
      }
    }
    return energy_of(rounded_);
  }

 private:
  [[nodiscard]] double energy_of(const std::vector<float>& matrix) const {
    const std::size_t columns = layout_.columns;
    const std::size_t rows = profile_.rows.size() / layout_.rows;
    std::vector<float> sums(columns);
    double total = 0;
    for (std::size_t r = 0; r < rows; ++r) {
      std::fill(sums.begin(), sums.end(), 0.0F);
      const float* x = profile_.rows.data() + r * layout_.rows;
      for (std::size_t k = 0; k < layout_.rows; ++k) {
        const float* row = matrix.data() + k * columns;
        for (std::size_t c = 0; c < columns; ++c) sums[c] += x[k] * row[c];
      }
      for (const float sum : sums) total += static_cast<double>(sum) * static_cast<double>(sum);
    }
    return total;
  }

  const ActivationProfile& profile_;
  BlockLayout layout_;
  std::vector<float> weights_;
  std::vector<float> scaled_;
  std::vector<float> rounded_;
};

std::vector<Tile> tiles_of(const ActivationProfile& profile, const ProductMatrix& matrix) {
  const std::size_t there = (matrix.layout.columns + kTile - 1) / kTile;
  const std::size_t count = std::min(there, kTiles);
  std::vector<Tile> tiles;
  for (std::size_t i = 0; i < count; ++i) tiles.emplace_back(profile, matrix, i * there / count * kTile);
  return tiles;
}

double sum_of_errors(std::vector<Tile>& tiles, const std::vector<float>& scale,
                     std::span<const float> importance) {
  double sum = 0;
  for (Tile& tile : tiles) sum += tile.error(scale, importance);
  return sum;
}

double sum(const std::vector<double>& errors) { return std::accumulate(errors.begin(), errors.end(), 0.0); }

double relative(double error, double energy) { return energy > 0 ? std::sqrt(error / energy) : 0.0; }

}  // namespace

std::vector<float> importance(const ActivationProfile& profile, const std::vector<float>& scale) {
  std::vector<float> weights(profile.mean_square.size());
  for (std::size_t k = 0; k < weights.size(); ++k) {
    const auto s = scale.empty() ? 1.0 : static_cast<double>(scale[k]);
    weights[k] = static_cast<float>(profile.mean_square[k] / (s * s));
  }
  return weights;
}

AwareChoice choose_scale(const ActivationProfile& profile, const std::vector<ProductMatrix>& matrices,
                         bool may_scale) {
  std::vector<std::vector<Tile>> tiles;
  std::vector<double> energies;
  for (const ProductMatrix& matrix : matrices) {
    tiles.push_back(tiles_of(profile, matrix));
    double energy = 0;
    for (const Tile& tile : tiles.back()) energy += tile.energy();
    energies.push_back(energy);
  }
  AwareChoice best;
  std::vector<double> nearest;
  std::vector<double> least;
  for (int step = 0; step < (may_scale ? kAlphas : 1); ++step) {
    const std::vector<float> scale = scale_for(profile, step / 10.0);
    std::vector<double> errors;
    for (std::vector<Tile>& some : tiles) errors.push_back(sum_of_errors(some, scale, {}));
    if (step == 0) nearest = errors;
    if (step > 0 && sum(errors) >= sum(least)) continue;
    least = std::move(errors);
    best.scale = step == 0 ? std::vector<float>() : scale;
  }
  const std::vector<float> scale = best.scale.empty() ? scale_for(profile, 0) : best.scale;
  const std::vector<float> weights = importance(profile, scale);
  for (std::size_t i = 0; i < matrices.size(); ++i) {
    const double narrowed = sum_of_errors(tiles[i], scale, weights);
    best.matrices.push_back({narrowed < least[i], relative(nearest[i], energies[i]),
                             relative(std::min(narrowed, least[i]), energies[i])});
  }
  return best;
}

}  // namespace tarmac

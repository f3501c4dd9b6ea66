#include "precision/round_weights.h"

#include <algorithm>
#include <cmath>

namespace tarmac {
namespace {

class Channel {
 public:
  Channel(std::span<const float> weights, int largest)
      : largest_(largest), rounded_(weights.size()), errors_(weights.size()) {
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const float limit = static_cast<float>(largest);
      rounded_[i] = static_cast<std::int8_t>(std::clamp(std::nearbyint(weights[i]), -limit, limit));
      errors_[i] = static_cast<float>(rounded_[i]) - weights[i];
    }
  }

  [[nodiscard]] double sum(std::size_t begin, std::size_t end) const {
    double sum = 0;
    for (std::size_t i = begin; i < end; ++i) sum += static_cast<double>(errors_[i]);
    return sum;
  }

  /// Steps the elements among `candidates` whose errors have the sign of `excess` and are largest, until less
  /// than one step of it is left to take away.
  void take_away(double excess, std::vector<std::size_t> candidates) {
    const int step = excess > 0 ? -1 : 1;
    const auto flips = static_cast<std::size_t>(std::nearbyint(std::fabs(excess)));
    if (flips == 0) return;
    std::erase_if(candidates, [&](std::size_t i) {
      return errors_[i] * static_cast<float>(step) >= 0 || std::abs(rounded_[i] + step) > largest_;
    });
    const auto count = std::min(flips, candidates.size());
    std::partial_sort(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(count),
                      candidates.end(), [&](std::size_t a, std::size_t b) {
                        const float x = std::fabs(errors_[a]);
                        const float y = std::fabs(errors_[b]);
                        return x != y ? x > y : a < b;
                      });
    for (std::size_t i = 0; i < count; ++i) {
      rounded_[candidates[i]] = static_cast<std::int8_t>(rounded_[candidates[i]] + step);
      errors_[candidates[i]] += static_cast<float>(step);
    }
  }

  /// The element of [begin, end) that is cheapest to step against `excess`.
  [[nodiscard]] std::size_t cheapest(std::size_t begin, std::size_t end, double excess) const {
    std::size_t best = begin;
    for (std::size_t i = begin; i < end; ++i) {
      const bool better = excess > 0 ? errors_[i] > errors_[best] : errors_[i] < errors_[best];
      if (better) best = i;
    }
    return best;
  }

  std::vector<std::int8_t> take() { return std::move(rounded_); }

 private:
  int largest_;
  std::vector<std::int8_t> rounded_;
  std::vector<float> errors_;  // rounded − weight
};

}  // namespace

std::vector<std::int8_t> round_channel(std::span<const float> weights, std::size_t kernel, int largest) {
  Channel channel(weights, largest);
  std::vector<std::size_t> elements;
  for (std::size_t begin = 0; begin < weights.size(); begin += kernel) {
    elements.clear();
    for (std::size_t i = begin; i < begin + kernel; ++i) elements.push_back(i);
    if (kernel > 1) channel.take_away(channel.sum(begin, begin + kernel), elements);
  }
  // One element of a kernel at most: its own sum stays within one step.
  const double excess = channel.sum(0, weights.size());
  elements.clear();
  for (std::size_t begin = 0; begin < weights.size(); begin += kernel)
    elements.push_back(channel.cheapest(begin, begin + kernel, excess));
  channel.take_away(excess, std::move(elements));
  return channel.take();
}

}  // namespace tarmac

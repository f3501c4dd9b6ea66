#include "precision/clipping.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace tarmac {
namespace {

constexpr std::int64_t kBins = Histogram::kBins;

/// Bins of |x|, up to the last that is not empty. A negative value on an edge counts for the bin below it.
std::vector<double> magnitudes(const Histogram& histogram) {
  std::vector<double> bins(kBins);
  for (std::int64_t i = 0; i < kBins; ++i)
    bins[static_cast<std::size_t>(i)] = static_cast<double>(histogram.bin(i) + histogram.bin(-i - 1));
  while (!bins.empty() && bins.back() == 0) bins.pop_back();
  return bins;
}

double x_log_x(double x) { return x > 0 ? x * std::log(x) : 0; }

/// Divergences by sums up to each bin, so that a candidate costs as many steps as it has groups.
class Divergence {
 public:
  Divergence(const std::vector<double>& bins, std::size_t groups)
      : bins_(bins),
        groups_(groups),
        sums_(bins.size() + 1),
        filled_(bins.size() + 1),
        logs_(bins.size() + 1) {
    for (std::size_t i = 0; i < bins.size(); ++i) {
      sums_[i + 1] = sums_[i] + bins[i];
      filled_[i + 1] = filled_[i] + (bins[i] > 0 ? 1 : 0);
      logs_[i + 1] = logs_[i] + x_log_x(bins[i]);
    }
  }

  /// Of the first `count` bins; infinite where the last is empty but must hold what lies beyond.
  [[nodiscard]] double of(std::size_t count) const {
    const double all = sums_.back();
    const double inside = sums_[count];
    const double beyond = all - inside;
    const double last = bins_[count - 1];
    if (inside == 0 || (last == 0 && beyond > 0)) return std::numeric_limits<double>::infinity();
    // Σ p·log p with the last bin's p raised, all divided by `all`.
    const double p_log_p = (logs_[count] - x_log_x(last) + x_log_x(last + beyond)) / all - std::log(all);
    double p_log_q = 0;
    for (std::size_t g = 0; g < groups_; ++g) {
      const std::size_t begin = count * g / groups_;
      const std::size_t end = count * (g + 1) / groups_;
      const double sum = sums_[end] - sums_[begin];
      if (sum == 0) continue;
      const double p = sum + (end == count ? beyond : 0);
      p_log_q += p * std::log(sum / (filled_[end] - filled_[begin]) / inside);
    }
    return p_log_p - p_log_q / all;
  }

 private:
  const std::vector<double>& bins_;
  std::size_t groups_;
  std::vector<double> sums_;
  std::vector<double> filled_;
  std::vector<double> logs_;
};

/// Number of bins to keep.
std::size_t least_divergence(std::vector<double> bins, bool negative) {
  const std::size_t groups = negative ? 128 : 256;
  if (bins.size() <= groups) return bins.size();
  bins[0] = std::min(bins[0], bins[1]);
  const Divergence divergence(bins, groups);
  const std::size_t stride = groups / 32;
  std::size_t best = bins.size();
  double least = divergence.of(best);
  for (std::size_t count = groups; count < bins.size(); count += stride) {
    const double found = divergence.of(count);
    if (found < least) {
      least = found;
      best = count;
    }
  }
  return best;
}

std::size_t percentile_bins(const std::vector<double>& bins, double percent) {
  double all = 0;
  for (const double bin : bins) all += bin;
  double sum = 0;
  for (std::size_t i = 0; i < bins.size(); ++i) {
    sum += bins[i];
    if (sum >= all * percent / 100) return i + 1;
  }
  return bins.size();
}

double squared_error(const Histogram& histogram, double low, double high) {
  const double step = (std::max(high, 0.0) - std::min(low, 0.0)) / 255;
  if (step <= 0) return std::numeric_limits<double>::infinity();
  const double width = histogram.bin_width();
  double error = 0;
  for (std::int64_t i = -kBins; i < kBins; ++i) {
    const std::uint64_t count = histogram.bin(i);
    if (count == 0) continue;
    // The bins beside zero stand for zero: most values there are.
    const double middle = i == 0 || i == -1 ? 0 : (static_cast<double>(i) + 0.5) * width;
    const double x = std::clamp<double>(middle, histogram.min(), histogram.max());
    const double rounded = std::nearbyint(std::clamp(x, low, high) / step) * step;
    error += static_cast<double>(count) * (x - rounded) * (x - rounded);
  }
  return error;
}

Range cut(const Histogram& histogram, double magnitude) {
  Range range;
  range.include(std::max(histogram.min(), static_cast<float>(-magnitude)),
                std::min(histogram.max(), static_cast<float>(magnitude)));
  return range;
}

Range least_error(const Histogram& histogram) {
  constexpr int kCandidates = 128;
  const double most = std::max(std::fabs(histogram.min()), std::fabs(histogram.max()));
  Range best = cut(histogram, most);
  double least = squared_error(histogram, best.min, best.max);
  for (int i = kCandidates - 1; i > kCandidates / 8; --i) {
    const Range range = cut(histogram, most * i / kCandidates);
    const double error = squared_error(histogram, range.min, range.max);
    if (error < least) {
      least = error;
      best = range;
    }
  }
  return best;
}

}  // namespace

void Range::include(float low, float high) {
  min = empty ? low : std::min(min, low);
  max = empty ? high : std::max(max, high);
  empty = false;
}

Range clip(const Histogram& histogram, const ClippingOptions& options) {
  if (histogram.count() == 0) return {};
  const double width = histogram.bin_width();
  switch (options.method) {
    case CalibrationMethod::kEntropy:
      return cut(histogram,
                 width * static_cast<double>(least_divergence(magnitudes(histogram), histogram.min() < 0)));
    case CalibrationMethod::kPercentile:
      return cut(histogram,
                 width * static_cast<double>(percentile_bins(magnitudes(histogram), options.percentile)));
    case CalibrationMethod::kMse:
      return least_error(histogram);
    case CalibrationMethod::kMinMax:
    case CalibrationMethod::kMovingAverage:
      break;
  }
  Range range;
  range.include(histogram.min(), histogram.max());
  return range;
}

}  // namespace tarmac

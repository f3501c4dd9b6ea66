#include "precision/observer.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <mutex>
#include <numeric>

#include "precision/extremes.h"

namespace tarmac {
namespace {

constexpr std::int64_t kWorthThread = 1 << 17;  // elements: some tens of microseconds

float blend(float average, float latest, double decay) {
  return static_cast<float>(decay * average + (1 - decay) * latest);
}

/// Of elements [begin, end) of the tensor. Channels that have none there are infinite the wrong way round.
ChannelExtremes channel_extremes(const Tensor& tensor, int axis, std::size_t begin, std::size_t end) {
  const Shape& shape = tensor.shape();
  const auto channels = static_cast<std::size_t>(shape[static_cast<std::size_t>(axis)]);
  const auto inner = static_cast<std::size_t>(
      std::accumulate(shape.begin() + axis + 1, shape.end(), std::int64_t{1}, std::multiplies<>()));
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  ChannelExtremes found{axis, std::vector<float>(channels, kInfinity),
                        std::vector<float>(channels, -kInfinity)};
  const auto values = tensor.data<float>();
  for (std::size_t i = begin; i < end;) {
    if (inner == 1) {
      const std::size_t first = i % channels;
      const std::size_t count = std::min(channels - first, end - i);
      for (std::size_t c = 0; c < count; ++c) {
        const float x = values[i + c];
        found.low[first + c] = std::min(found.low[first + c], x);
        found.high[first + c] = std::max(found.high[first + c], x);
      }
      i += count;
      continue;
    }
    const std::size_t channel = i / inner % channels;
    const std::size_t count = std::min(inner - i % inner, end - i);
    const Extremes here = extremes_of(values.subspan(i, count));
    found.low[channel] = std::min(found.low[channel], here.low);
    found.high[channel] = std::max(found.high[channel], here.high);
    i += count;
  }
  return found;
}

}  // namespace

void ChannelExtremes::include(const ChannelExtremes& other) {
  if (other.low.empty()) return;
  if (low.empty()) {
    *this = other;
    return;
  }
  assert(axis == other.axis && low.size() == other.low.size());
  for (std::size_t c = 0; c < low.size(); ++c) {
    low[c] = std::min(low[c], other.low[c]);
    high[c] = std::max(high[c], other.high[c]);
  }
}

/// What the threads found of one value in one batch.
struct ActivationObserver::Seen {
  std::mutex mutex;
  Range extremes;
  bool finite = true;
};

ActivationObserver::ActivationObserver(const std::vector<std::string>& values, const ObserverOptions& options)
    : values_(values), options_(options), statistics_(values.size()) {
  for (const std::string& value : values_) {
    const auto found = options_.channels.find(value);
    axes_.push_back(found == options_.channels.end() ? -1 : found->second);
  }
}

Status ActivationObserver::check(std::size_t value, const Tensor& tensor) const {
  if (tensor.dtype() != DType::kFloat32) {
    return make_error(ErrorCode::kInvalidInput,
                      std::string("expected float32, found ") + to_string(tensor.dtype()), values_[value]);
  }
  const int axis = axes_[value];
  if (axis < 0) return {};
  const std::vector<float>& before = statistics_[value].channels.low;
  const bool is_there = static_cast<std::size_t>(axis) < tensor.shape().size();
  if (is_there && (before.empty() || tensor.shape()[static_cast<std::size_t>(axis)] ==
                                         static_cast<std::int64_t>(before.size())))
    return {};
  return make_error(ErrorCode::kInvalidInput,
                    "its shape is " + to_string(tensor.shape()) + ", but axis " + std::to_string(axis) +
                        " should hold " +
                        (before.empty() ? "its channels" : std::to_string(before.size()) + " channels"),
                    values_[value]);
}

void ActivationObserver::reduce(std::size_t value, const Tensor& tensor, std::size_t begin, std::size_t end,
                                bool whole, Seen& seen) {
  const auto values = tensor.data<float>().subspan(begin, end - begin);
  ActivationStatistics& statistics = statistics_[value];
  ChannelExtremes channels;
  if (axes_[value] >= 0) channels = channel_extremes(tensor, axes_[value], begin, end);
  Histogram part;
  Extremes found;
  if (!options_.histograms) {
    found = extremes_of(values);
  } else {
    // Nobody else touches the histogram of a value that is not divided.
    found = (whole ? statistics.histogram : part).add(values);
  }
  const std::lock_guard lock(seen.mutex);
  seen.finite = seen.finite && found.finite;
  seen.extremes.include(found.low, found.high);
  if (!found.finite) return;
  if (!whole) statistics.histogram.merge(part);
  statistics.channels.include(channels);
}

Status ActivationObserver::add(std::span<const Tensor> tensors, std::span<const std::size_t> counts,
                               ops::Parallel& parallel, int cores) {
  assert(tensors.size() == values_.size() && counts.size() == values_.size());
  std::vector<std::size_t> starts = {0};
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    TARMAC_CHECK_OK(check(i, tensors[i]));
    starts.push_back(starts.back() + counts[i]);
  }
  const auto all = static_cast<std::int64_t>(starts.back());
  std::vector<Seen> seen(tensors.size());
  const std::int64_t share = cores > 0 ? (all + cores - 1) / cores : 0;
  parallel.for_ranges(all, std::max(share, kWorthThread), [&](std::int64_t from, std::int64_t to) {
    const auto first = static_cast<std::size_t>(from);
    const auto last = static_cast<std::size_t>(to);
    auto i =
        static_cast<std::size_t>(std::upper_bound(starts.begin(), starts.end(), first) - starts.begin()) - 1;
    for (; i < counts.size() && starts[i] < last; ++i) {
      const std::size_t begin = std::max(first, starts[i]) - starts[i];
      const std::size_t end = std::min(last, starts[i + 1]) - starts[i];
      if (begin < end) reduce(i, tensors[i], begin, end, end - begin == counts[i], seen[i]);
    }
  });
  for (std::size_t i = 0; i < seen.size(); ++i) {
    if (!seen[i].finite) {
      return make_error(
          ErrorCode::kInvalidInput,
          "it is NaN or infinite for some sample; check that the preprocessing is the one the "
          "model was trained with, look at the values with tarmac run, and leave the sample out "
          "if it is damaged",
          values_[i]);
    }
    const Range& now = seen[i].extremes;
    if (now.empty) continue;
    statistics_[i].extremes.include(now.min, now.max);
    Range& average = statistics_[i].moving_average;
    if (average.empty) {
      average = now;
    } else {
      average.min = blend(average.min, now.min, options_.decay);
      average.max = blend(average.max, now.max, options_.decay);
    }
  }
  return {};
}

Statistics ActivationObserver::take() {
  Statistics all;
  for (std::size_t i = 0; i < values_.size(); ++i) all[values_[i]] = std::move(statistics_[i]);
  return all;
}

}  // namespace tarmac

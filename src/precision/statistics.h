// What calibration keeps of a model's activations.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "precision/histogram.h"
#include "precision/range.h"

namespace tarmac {

/// Smallest and largest value of each slice along one axis.
struct ChannelExtremes {
  int axis = 0;
  std::vector<float> low;  ///< one for each index of the axis; empty while nothing was seen
  std::vector<float> high;

  /// Widens each slice; the numbers of slices must be the same unless this is empty (asserted).
  void include(const ChannelExtremes& other);
  bool operator==(const ChannelExtremes&) const = default;
};

/// What was seen of a value.
struct ActivationStatistics {
  Histogram histogram;  ///< counts nothing but the extremes where the method needs no more
  Range extremes;       ///< of all batches
  Range moving_average;  ///< avg ← decay·avg + (1 − decay)·extreme of the batch; the first batch starts it
  ChannelExtremes channels;  ///< where they were asked for
  bool operator==(const ActivationStatistics&) const = default;
};
using Statistics = std::map<std::string, ActivationStatistics>;

}  // namespace tarmac

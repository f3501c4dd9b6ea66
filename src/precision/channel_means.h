// What the channels of activations are on real data: a few numbers each, reduced inside the engine.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "precision/calibrate.h"

namespace tarmac {

/// A value and the axis of it that counts channels.
struct ChannelAxis {
  std::string value;
  std::size_t axis = 1;
};

/// One number a channel, over all elements of all samples.
struct ChannelStatistics {
  std::vector<double> mean;
  std::vector<double> mean_abs;
  std::vector<double> max_abs;
};

struct MeasureChannelsOptions {
  CompileOptions compile;
  bool means = true;
  bool magnitudes = true;  ///< mean_abs and max_abs
  std::size_t most_samples = 64;
};

/// By value name. Runs a copy of `model` on `target` that has these reductions as outputs; values themselves
/// never leave the engine. Reads batches until `most_samples` were seen. Every value must be a float32
/// tensor of known rank. Errors: kNotFound for a value that is not there, kInvalidInput without data or for
/// NaN and infinity (names the value), kCancelled, the target's.
Result<std::map<std::string, ChannelStatistics>> measure_channels(
    const Model& model, const std::vector<ChannelAxis>& values, Target& target,
    const MeasureChannelsOptions& options, const CalibrationSource& next_batch, Progress& progress);

}  // namespace tarmac

// Ranges of activations, observed while real data streams through the float model.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "graph/graph.h"
#include "targets/target.h"

namespace tarmac {

/// Smallest and largest value seen. Empty until the first observation.
struct Range {
  float min = 0;
  float max = 0;
  bool empty = true;

  void include(float low, float high);
};

/// By value name.
using Ranges = std::map<std::string, Range>;

/// The next batch, by input name; nullopt at the end.
using BatchSource = std::function<Result<std::optional<std::map<std::string, Tensor>>>()>;

struct Calibration {
  Ranges ranges;
  std::uint64_t batches = 0;
  std::int64_t time_ns = 0;
};

/// Runs every batch through `model` on `target` with `values` as further outputs, and keeps their minimum and
/// maximum. One batch is held at a time, so memory does not depend on the number of samples. Errors:
/// kInvalidInput when there is no data or a value is NaN or infinite (names it), kCancelled, the target's.
Result<Calibration> calibrate_minmax(const Model& model, const std::vector<std::string>& values,
                                     Target& target, const CompileOptions& options,
                                     const BatchSource& next_batch, Progress& progress);

}  // namespace tarmac

// A few calibration samples kept in memory, for methods that run them several times.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "precision/calibrate.h"

namespace tarmac {

using SampleSet = std::vector<CalibrationBatch>;

/// Of all its inputs.
std::uint64_t bytes_of(const CalibrationBatch& batch);

/// The first batches of a source: until `most_samples` are there, or the next would be beyond `most_bytes`
/// (one is always taken). Errors: the source's; kInvalidInput when it has none.
Result<SampleSet> take_samples(const CalibrationSource& next_batch, std::size_t most_samples = 64,
                               std::uint64_t most_bytes = std::uint64_t{64} << 20U);

/// All of them, then nothing. `samples` must outlive the source.
CalibrationSource replay(const SampleSet& samples);

/// Every other batch, for fitting and for judging what was fitted; both are all of a single batch.
struct Halves {
  SampleSet fit;
  SampleSet judge;
};
Halves halves(const SampleSet& samples);

/// How far the outputs of other models lie from a model's on these samples.
class OutputNoise {
 public:
  /// `samples` must outlive it. Errors: the target's.
  static Result<std::unique_ptr<OutputNoise>> open(const Model& reference, Target& target,
                                                   const CompileOptions& options, const SampleSet& samples,
                                                   Progress& progress);
  virtual ~OutputNoise() = default;
  /// Mean over the float32 outputs of Σ (a − r)² / Σ r²; 0 without such outputs, infinite where a result is
  /// not finite. −10·log10 of it is a signal-to-noise ratio in dB.
  virtual Result<double> of(const Model& other) = 0;
};

}  // namespace tarmac

// Calibration on a data set of the contract: the one loop behind `quantize` and `deploy`.
#pragma once

#include "contract/dataset.h"
#include "precision/calibrate.h"
#include "precision/sample_set.h"

namespace tarmac {

struct DatasetCalibration {
  Calibration found;
  std::vector<Error> unreadable;  ///< pictures that were left out, each with its path as context
};

/// Runs all samples, `batch` at a time (0: the contract's batch size where that is fixed, else
/// choose_calibration_batch(); 1 where the contract has a sequence, whose state is carried). Errors: as
/// calibrate() and BatchReader; kUsage for another batch than 1 with a sequence.
Result<DatasetCalibration> calibrate_dataset(const Model& model, const std::vector<std::string>& values,
                                             Target& target, CalibrateOptions options,
                                             const Contract& contract, const Dataset& data, std::size_t batch,
                                             Progress& progress);

/// A few samples, each class with its share, for methods that run them several times. Frames of a sequence
/// are spread over some scenes and have beside them the state that `model` carries into them. Errors:
/// BatchReader's, take_samples()'s, StateRecorder's, kCancelled.
Result<SampleSet> choose_samples(const Contract& contract, Dataset data, const Model& model, Target& target,
                                 Progress& progress);

}  // namespace tarmac

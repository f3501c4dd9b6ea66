// What the variants of a deployment are fed outside of the evaluation: batches that are complete, carried
// state included.
#pragma once

#include <map>
#include <string>

#include "contract/dataset.h"
#include "deploy/cells.h"
#include "verify/compare_outputs.h"

namespace tarmac {

/// At most `limit` samples of the data, `batch` at a time; frames of a sequence with the state that `model`
/// carries into them on the reference engine. Refers to `data`. Errors: BatchReader's, StateRecorder's.
Result<SampleSource> complete_samples(const Contract& contract, const Dataset& data, std::size_t batch,
                                      std::size_t limit, const Model& model, Progress& progress);

/// What cells are timed with: a real sample, of a sequence one with carried state in it; made-up values where
/// `data` is null or empty.
Result<std::map<std::string, Tensor>> timing_sample(const Contract& contract, const Dataset* data,
                                                    const Cell& cell);

}  // namespace tarmac

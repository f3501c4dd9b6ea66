// The INT8 models of a deployment: each target gets its own, by what it fuses.
#pragma once

#include <vector>

#include "contract/dataset.h"
#include "deploy/variants.h"
#include "precision/sample_set.h"
#include "report/report.h"
#include "targets/target.h"

namespace tarmac {

struct Int8Job {
  const Contract& contract;
  const Model& model;  ///< FP32, optimised for all targets
  const Dataset& calibration;
  const Dataset*
      evaluation;  ///< for the budget of the contract's metric; null: agreement on calibration data
  const std::vector<Target*>& targets;
  const SampleSet& samples;  ///< of the calibration data: choose_samples()
};

/// Equalised and calibrated once, on the first target; adapted and quantised for each. A target that cannot
/// keep the contract's max_drop, or is slower, gets none and a note. Records in `report` what was done.
/// Errors: the targets', of the data, kCancelled.
Result<std::vector<Variant>> make_int8_variants(const Int8Job& job, report::DeployReport& report,
                                                Progress& progress);

}  // namespace tarmac

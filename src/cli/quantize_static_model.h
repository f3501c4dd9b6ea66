// --mode static of quantize.
#pragma once

#include <string>

#include "cli/args/accuracy_args.h"
#include "cli/args/calibration_args.h"
#include "cli/args/data_args.h"
#include "cli/args/max_drop_args.h"
#include "cli/program.h"
#include "targets/target.h"

namespace tarmac::cli {

struct StaticJob {
  const CalibrationArgs& calibration;
  const AccuracyArgs& accuracy;
  const MaxDropArgs& drop;
  int weight_bits;
  OpenData* data;  ///< may be null where calibration has a file
  Target* target;  ///< that the model is for; null: every one there is
  Target& calibrate_on;
  CompileOptions options;
};

/// Equalises, calibrates, adapts and quantises an optimised model, and says on `run` what came of it. A shard
/// is calibrated only, and leaves the model in float. Errors also kUnsupported where the target is slower
/// with the result.
Status quantize_static_model(Model& model, const StaticJob& job, Run& run);

}  // namespace tarmac::cli

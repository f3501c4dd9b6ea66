// Quantisation under --max-drop, and its table.
#pragma once

#include "cli/args/data_args.h"
#include "cli/args/max_drop_args.h"
#include "cli/program.h"
#include "tune/mixed_precision.h"
#include "tune/twin_model.h"

namespace tarmac::cli {

struct TuneJob {
  const MaxDropArgs& args;
  const Model& model;  ///< in float, as it was calibrated, every node with a name
  const FusionGroups& groups;
  GroupQuantizer quantize;
  const OpenData& data;  ///< whose contract's evaluation counts; without one, agreement on this data
  Target& target;
  CompileOptions options;
};

/// Searches and says on `run` what was measured. Errors: tune_precision()'s and, after the table, its
/// verdict.
Result<MixedPrecisionResult> tune_model(const TuneJob& job, Run& run);

}  // namespace tarmac::cli

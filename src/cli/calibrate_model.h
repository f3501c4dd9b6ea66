// What the activations of a model are on real data: from the calibration file where there is one that fits,
// else by running the model.
#pragma once

#include "cli/args/calibration_args.h"
#include "cli/args/data_args.h"
#include "cli/output.h"
#include "cli/program.h"
#include "precision/calibration_file.h"

namespace tarmac::cli {

struct CalibrationJob {
  const CalibrationArgs& args;
  const Model& model;  ///< optimised, as it will be quantised
  std::vector<std::string> values;
  OpenData* data = nullptr;  ///< null: only a file can tell
  Target& target;
  CompileOptions options;
};

/// Reads --cache where that file exists and refuses it where it does not fit; else runs the shard's data and
/// writes
/// --cache. Says on `run` which of the two. There must be one of the two (asserted).
Result<CalibrationRecord> calibrate_model(const CalibrationJob& job, Run& run);

/// A calibration file from disk, with its path in errors.
Result<CalibrationRecord> read_calibration(const std::string& path);
Status write_calibration(const std::string& path, const CalibrationRecord& record);

}  // namespace tarmac::cli

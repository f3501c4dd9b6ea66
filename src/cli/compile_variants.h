// The INT8 models that compile may take, each with what the accuracy gate says of it.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "cli/compile_args.h"
#include "cli/program.h"
#include "report/report.h"

namespace tarmac::cli {

struct Int8Variant {
  std::optional<Model> model;
  std::string failure;  ///< why it must not be taken
  Json gate;            ///< metric, figures, limit and samples; null where it was not reached
};

struct Int8Variants {
  std::map<std::string, Int8Variant> by_target;
  std::vector<report::NodePrecision> nodes;  ///< reasons for what stays in float
};

struct Int8Work {
  const CompileArgs& args;
  const Model& source;     ///< as loaded
  const Model& optimized;  ///< with an open batch where the source has one
  const std::vector<Target*>& targets;
  const OpenData& data;
  std::filesystem::path folder;  ///< keeps what was made, for a second attempt
};

/// Equalises, calibrates and quantises for each target, by the contract's precision section, and measures
/// what that costs of the metric on samples that calibration does not see. A target whose model cannot be
/// made, or costs too much, has the reason. Errors: of the data, kCancelled.
Result<Int8Variants> make_int8(const Int8Work& work, Run& run);

}  // namespace tarmac::cli

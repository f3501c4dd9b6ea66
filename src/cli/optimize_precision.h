// `tarmac optimize --precision`: the model in float16, bfloat16 or float32.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "cli/args/data_args.h"
#include "cli/commands/commands.h"
#include "targets/target.h"

namespace tarmac::cli {

struct PrecisionArgs {
  std::string type;  ///< empty: as it is
  bool keep_io = false;
  std::string max_error = "1%";
  double headroom = 2;
  std::vector<std::string> keep;

  void add(CLI::App& command);
  /// Whether it looks for ranges in data.
  [[nodiscard]] bool takes_data() const { return type == "fp16" || type == "bf16"; }
  /// kUsage where an option stands without --precision, or an error is no share.
  [[nodiscard]] Status check() const;
};

/// Converts the model, with ranges from `data` or else made-up inputs, and reports it; nothing without
/// --precision. Nodes that one of `targets` refuses in 16 bits stay in float32.
Status convert_precision(Model& model, const PrecisionArgs& args, const DataArgs& data,
                         const std::vector<Target*>& targets, Run& run);

}  // namespace tarmac::cli

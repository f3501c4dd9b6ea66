// What `tarmac run` was asked.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/args/signature_args.h"
#include "cli/args/target_args.h"
#include "cli/program.h"
#include "tarmac/session.h"

namespace tarmac::cli {

struct RunArgs {
  std::string model;
  TargetArgs target;
  SignatureArgs signature;
  std::vector<std::string> inputs;
  std::string contract;
  std::string output_dir;
  std::string trace;
  std::string metrics;
  bool draw = false;
  std::optional<double> min_score;
  std::string data;            ///< of a 3-D detector; empty: the contract's evaluation data
  std::int64_t frames = 0;     ///< at most; 0: all
  double fps = 4;              ///< of what is made from frames that do not say it themselves
  int animation_height = 128;  ///< of a view, pixels
};

}  // namespace tarmac::cli

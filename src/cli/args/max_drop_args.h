// --max-drop, --top-k: how much of the metric INT8 may cost, and how far to look for what costs it.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "tarmac/result.h"

namespace tarmac::cli {

struct MaxDropArgs {
  std::string max_drop;
  std::int64_t top_k = 16;

  void add(CLI::App& command);
  [[nodiscard]] bool given() const { return !max_drop.empty(); }
  /// As a fraction: 2% is 0.02. Errors: kUsage.
  [[nodiscard]] Result<double> parsed() const;
};

}  // namespace tarmac::cli

// --activations, --no-equalize, --no-bias-correction, --adaptive-rounding, --allow-slower: what INT8
// may cost.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "precision/adapt_for_int8.h"

namespace tarmac::cli {

struct AccuracyArgs {
  std::string activations = "asymmetric";
  bool no_equalize = false;
  bool no_bias_correction = false;
  bool adaptive_rounding = false;
  bool allow_slower = false;

  void add(CLI::App& command);
  [[nodiscard]] ActivationForm form() const;
  [[nodiscard]] AccuracyOptions options(const CompileOptions& compile) const;
};

}  // namespace tarmac::cli

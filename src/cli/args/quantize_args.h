// --bits, --block, --weight-method and --format: how weights are stored and which operators read them.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "tarmac/result.h"

namespace tarmac::cli {

struct StorageArgs {
  int bits = 8;
  std::int64_t block = 0;     ///< 0: not given
  bool symmetric = false;     ///< zero points of 4 bits are all 8
  std::string weight_method;  ///< empty: activation-aware where there is data
  std::string format = "qdq";

  void add(CLI::App& command);
  /// Whether the options fit the mode, the data and the target (empty: none named). Errors: kUsage;
  /// kUnsupported with the reason where a target does not run what would come out.
  [[nodiscard]] Status check(const std::string& mode, bool has_data, const std::string& target) const;
  /// The opset that the result needs; 0: any.
  [[nodiscard]] std::int64_t opset(const std::string& mode) const;
  [[nodiscard]] bool is_qoperator() const { return format == "qoperator"; }
};

}  // namespace tarmac::cli

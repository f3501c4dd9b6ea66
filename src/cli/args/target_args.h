// --target and what goes with it.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "targets/target.h"

namespace tarmac::cli {

struct TargetArgs {
  std::vector<std::string> names;
  std::vector<std::string> providers;
  bool allow_fallback = false;
  int cores = 0;

  /// --target (one name), --providers, --allow-fallback, --cores. The --target option is returned.
  CLI::Option* add_one(CLI::App& command);
  /// The same with --target T[,T].
  CLI::Option* add_several(CLI::App& command);

  /// The name, or empty.
  [[nodiscard]] std::string name() const { return names.empty() ? std::string() : names.front(); }
  [[nodiscard]] CompileOptions compile_options() const;

 private:
  CLI::Option* add(CLI::App& command, const std::string& type_name, const std::string& description);
};

/// "openvino, onnxruntime, …"
std::vector<std::string> target_names();

/// A target that exists; whether its library is here is another matter. Errors: kUsage (suggests the nearest
/// name).
Result<Target*> named_target(const std::string& name);

/// A target whose library is here. Errors: named_target()'s, kUnavailable.
Result<Target*> open_target(const std::string& name);

}  // namespace tarmac::cli

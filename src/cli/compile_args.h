// The options of compile.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "cli/args/data_args.h"
#include "cli/args/target_args.h"
#include "cli/output.h"
#include "deploy/plan_profiles.h"
#include "tune/choose_target.h"

namespace tarmac::cli {

struct CompileArgs {
  std::string model;
  std::string output;
  TargetArgs target;
  std::string objective;  ///< empty: latency
  std::vector<std::string> precisions;
  int streams = 0;  ///< 0: chosen, or 1
  std::vector<std::string> profiles;
  std::vector<std::string> buckets;
  std::vector<std::int64_t> batches;
  std::string workspace;
  DataArgs data;
  std::string max_drop;
  std::string cache_folder;
  bool no_cache = false;
  std::string memory_limit;
  double stall_s = 900;
  std::string key;  ///< to sign with
  std::string engine_file;
  bool no_engine = false;
  std::string worker;  ///< folder of the parent; only this program gives it to itself

  void add(CLI::App& command);
  /// What can be told without files. Errors: kUsage, kUnavailable (target), kNotFound.
  [[nodiscard]] Status check() const;

  [[nodiscard]] bool is_auto() const { return target.name() == "auto"; }
  [[nodiscard]] bool wants(const std::string& precision) const;
  [[nodiscard]] Objective wanted_objective() const;
  /// Whether several layouts of the cores are tried.
  [[nodiscard]] bool chooses_layout() const { return streams == 0 && (is_auto() || !objective.empty()); }
  /// 0: any.
  [[nodiscard]] Result<std::uint64_t> workspace_bytes() const;
  /// The build's memory; 80 % of what is free where none is named.
  [[nodiscard]] Result<std::uint64_t> memory_limit_bytes() const;
  [[nodiscard]] Result<ProfileRequest> profile_request() const;
  /// Those that may get the plan, whether their engine is here or not. One unless is_auto().
  [[nodiscard]] Result<std::vector<Target*>> targets() const;
  /// All that decides what the plan says, but for files.
  [[nodiscard]] std::string fingerprint() const;
};

}  // namespace tarmac::cli

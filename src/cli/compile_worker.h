// What compile does in a process of its own: optimise, quantise, compile, measure, choose, write.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "cli/compile_args.h"
#include "cli/program.h"

namespace tarmac::cli {

/// What the parent tells its child, in its folder.
struct WorkerState {
  std::string source_digest;
  std::string data_digest;  ///< of what INT8 is judged on; empty without
  std::uint64_t memory_limit_bytes = 0;
  std::map<std::string, std::string> failed;  ///< by TargetCandidate::group(), or "int8": why it crashed

  [[nodiscard]] Status save(const std::filesystem::path& folder) const;
  static Result<WorkerState> load(const std::filesystem::path& folder);
};

/// The plan that the child writes into the folder.
inline constexpr const char* kWorkerPlan = "result.plan";

/// Runs in the child: everything goes to the parent, over kParentDescriptor.
Status compile_worker(const CompileArgs& args);

}  // namespace tarmac::cli

// From a file, plan or ONNX, to something that runs.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/progress.h"
#include "plan/preprocessing.h"
#include "targets/target.h"
#include "tarmac/contract.h"
#include "tarmac/plan.h"

namespace tarmac {

struct OpenOptions {
  std::string target{};  ///< empty: the plan's, or "openvino" for an ONNX file
  /// A plan brings providers and fallback; cores and streams too where these are 0.
  CompileOptions compile{.streams = 0};
  std::filesystem::path required_signer{};  ///< as SessionOptions::required_signer
};

struct OpenedModel {
  Target* target = nullptr;
  CompileOptions options;  ///< as it was compiled
  std::optional<PlanInfo> plan;
  std::optional<Contract> contract;  ///< the plan's
  Preprocessors preprocessors;
  std::map<std::string, Tensor> first_states;  ///< the plan's, of temporal state, by input
  std::unique_ptr<Executable> executable;
  /// The executable's, and what became of an engine inside the plan.
  std::vector<std::string> notes;
};

/// Checks and compiles. A plan's own engine is loaded instead where it may be trusted
/// (PlanFile::engine_distrust()) and the engine takes it with these options. Errors: as Session::open().
Result<OpenedModel> open_model(const std::filesystem::path& path, const OpenOptions& options,
                               Progress& progress);

}  // namespace tarmac

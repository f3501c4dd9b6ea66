// Models named on the command line.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "graph/graph.h"
#include "plan/plan_file.h"
#include "targets/target.h"

namespace tarmac::cli {

/// load_model() of an ONNX file; a plan is refused with kInvalidInput, since it cannot be transformed any
/// more.
Result<Model> load_onnx_model(const std::filesystem::path& path);

/// An ONNX file or plan with the target and options it runs with.
struct LoadedModel {
  Model model;
  Target* target = nullptr;
  CompileOptions options;
  std::optional<PlanInfo> plan;
};

/// `target` empty: the plan's own, else "openvino". A plan brings its own target, providers and core budget
/// (unless options.cores is set). Errors: load_model()'s, inspect_plan()'s, kUsage and kUnavailable (target),
/// kMismatch (also an ONNX file where a signature is required).
Result<LoadedModel> load_model_or_plan(const std::filesystem::path& path, const std::string& target,
                                       const CompileOptions& options,
                                       const std::filesystem::path& required_signer = {});

}  // namespace tarmac::cli

// Writing and reading plan files. Nothing in a plan is parsed before every digest in it has been checked.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "graph/graph.h"
#include "tarmac/plan.h"

namespace tarmac {

/// What a plan is written from.
struct PlanContent {
  /// write_plan() fills in inputs, outputs, tool_version, model_digest, the machine's CPU features and, given
  /// a contract, labels and preprocessing.
  PlanInfo info;
  const Model* model = nullptr;  ///< optimised for the target; borrowed
  std::string contract_text;     ///< deploy.yaml; "" without a contract
};

/// Writes a plan atomically. Errors: kUnsupported (an input or output that is no tensor), kInvalidInput
/// (details that are no JSON), kResourceExhausted (a model of 2 GiB or more), kIo.
Status write_plan(const std::filesystem::path& path, const PlanContent& content);

/// Whether a file starts as a plan does, or is named *.plan. False for what cannot be read.
bool is_plan(const std::filesystem::path& path);

/// A checked plan, mapped.
class PlanFile {
 public:
  /// Errors: as inspect_plan().
  static Result<PlanFile> open(const std::filesystem::path& path);

  [[nodiscard]] const PlanInfo& info() const { return info_; }
  /// The bytes of a section, valid while file() lives. kNotFound lists the sections there are.
  [[nodiscard]] Result<std::span<const std::byte>> section(std::string_view name) const;
  [[nodiscard]] const std::shared_ptr<const MappedFile>& file() const { return file_; }
  /// The model to compile. Its weights stay mapped.
  [[nodiscard]] Result<Model> model() const;
  /// The contract's text; "" when the plan has none.
  [[nodiscard]] std::string contract_text() const;

 private:
  PlanFile(std::shared_ptr<const MappedFile> file, PlanInfo info)
      : file_(std::move(file)), info_(std::move(info)) {}

  std::shared_ptr<const MappedFile> file_;
  PlanInfo info_;
};

/// Whether the plan may run with this engine on this processor. kMismatch names what the plan needs and what
/// is here.
Status check_plan_fits(const PlanInfo& info, const std::string& engine_version,
                       const std::vector<std::string>& cpu_features);

}  // namespace tarmac

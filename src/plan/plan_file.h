// Writing and reading plan files. Nothing in a plan is parsed before every digest in it has been checked.
#pragma once

#include <filesystem>
#include <map>
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
  /// Where deploy.yaml lies: the files with first values of temporal state that it names are taken from
  /// there.
  std::filesystem::path contract_folder;
  /// Executable::save_engine() of this model, made by info.engine_version; "" for none.
  std::string engine;
  /// PEM file of an Ed25519 private key to sign with; empty: unsigned.
  std::filesystem::path sign_key;
};

/// Writes a plan atomically, sealed with this user's secret on this machine where there can be one. Errors:
/// kUnsupported (an input or output that is no tensor), kInvalidInput (details that are no JSON; a key that
/// cannot sign; a secret that others may read; first values that are no .npy file), kResourceExhausted (a
/// graph of 2 GiB), kNotFound (the key, first values), kIo.
Status write_plan(const std::filesystem::path& path, const PlanContent& content);

/// Whether a file starts as a plan does, or is named *.plan. False for what cannot be read.
bool is_plan(const std::filesystem::path& path);

/// Names of sections.
inline constexpr std::string_view kManifestSection = "manifest.json";
inline constexpr std::string_view kModelSection = "model.onnx";
inline constexpr std::string_view kWeightsSection = "weights.bin";
inline constexpr std::string_view kContractSection = "contract.yaml";
inline constexpr std::string_view kEngineSection = "engine.bin";
/// Of the index-th temporal state in the contract that begins with a file.
std::string first_state_section(std::size_t index);

/// A checked plan, mapped. The file must not be changed in place meanwhile; replacing it is safe.
class PlanFile {
 public:
  /// Errors: as inspect_plan().
  static Result<PlanFile> open(const std::filesystem::path& path,
                               const std::filesystem::path& required_signer = {});

  [[nodiscard]] const PlanInfo& info() const { return info_; }
  /// The bytes of a section, valid while file() lives. kNotFound lists the sections there are.
  [[nodiscard]] Result<std::span<const std::byte>> section(std::string_view name) const;
  [[nodiscard]] const std::shared_ptr<const MappedFile>& file() const { return file_; }
  /// The model to compile. Its weights stay mapped.
  [[nodiscard]] Result<Model> model() const;
  /// The contract's text; "" when the plan has none.
  [[nodiscard]] std::string contract_text() const;
  /// What the inputs of a contract's temporal state begin a scene with, by input; those that begin with zeros
  /// are not there. Errors: kInvalidModel.
  [[nodiscard]] Result<std::map<std::string, Tensor>> first_states(const Contract& contract) const;

  /// Empty when there is an engine inside that may be loaded: engines trust their own files, so only one that
  /// this user made on this machine, or that `required_signer` signed. Else why not.
  [[nodiscard]] const std::string& engine_distrust() const { return engine_distrust_; }

 private:
  PlanFile(std::shared_ptr<const MappedFile> file, PlanInfo info, std::string engine_distrust)
      : file_(std::move(file)), info_(std::move(info)), engine_distrust_(std::move(engine_distrust)) {}

  std::shared_ptr<const MappedFile> file_;
  PlanInfo info_;
  std::string engine_distrust_;
};

/// What plans ask of a machine.
struct Machine {
  std::string engine_version;  ///< Target::version()
  std::vector<std::string> cpu_features;
  std::vector<std::string> gpus;  ///< models, e.g. "NVIDIA H200"
};

/// This machine, with an engine.
Machine this_machine(std::string engine_version);

/// Whether the plan may run there. kMismatch names what the plan needs and what is there.
Status check_plan_fits(const PlanInfo& info, const Machine& machine);

}  // namespace tarmac

// Plans: one file with everything a vehicle needs to run a model, every byte of it under a digest.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tarmac/contract.h"
#include "tarmac/model.h"
#include "tarmac/result.h"

namespace tarmac {

/// The version of the plan format that this library reads and writes.
inline constexpr std::uint32_t kPlanFormatVersion = 1;

/// The shapes that one profile admits, by input name. Inputs that it does not name may take any shape of
/// their type.
using PlanProfile = std::map<std::string, ProfileSpec>;

struct PlanSection {
  std::string name;
  std::uint64_t offset_bytes = 0;  ///< from the file's start; a multiple of 4096
  std::uint64_t size_bytes = 0;
  std::string sha256;  ///< hexadecimal
};

/// What a plan says about itself.
struct PlanInfo {
  std::string tool_version;            ///< of the Tarmac that wrote it
  std::string target;                  ///< "openvino", "onnxruntime", …
  std::string engine_version;          ///< Target::version() it was made and accepted with
  std::vector<std::string> providers;  ///< ONNX Runtime's execution providers in order of preference
  bool allow_fallback = false;
  int cores = 0;  ///< core budget; 0: all

  std::string model_digest;               ///< SHA-256 of the section "model.onnx"
  std::string source_digest;              ///< SHA-256 of the model it was made from; empty when unknown
  std::vector<std::string> cpu_features;  ///< needed, e.g. "avx512_vnni"; names as in /proc/cpuinfo

  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  std::vector<PlanProfile> profiles;  ///< empty: every shape of the inputs' types

  std::string precision;       ///< "fp32", "int8", …
  std::string precision_json;  ///< details as a JSON object; "" when there are none
  std::string preprocessing;   ///< the contract's preprocessing in its canonical text; "" without a contract
  std::string preprocessing_fingerprint;
  std::vector<std::string> labels;  ///< class names by index
  std::string acceptance_json;      ///< what was measured and demanded, as JSON; "" when nothing was

  // Known once written; ignored when writing.
  std::uint32_t format_version = kPlanFormatVersion;
  std::uint64_t file_bytes = 0;
  std::vector<PlanSection> sections;
};

/// Reads what a plan says about itself after checking every digest in it. Needs no engine. Errors: kNotFound,
/// kIo, kInvalidModel (damaged, cut short, or no plan), kMismatch (another format version; names both).
Result<PlanInfo> inspect_plan(const std::filesystem::path& path);

}  // namespace tarmac

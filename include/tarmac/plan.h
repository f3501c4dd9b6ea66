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
inline constexpr std::uint32_t kPlanFormatVersion = 2;

/// Ranges of shapes by input name. Inputs that are not named may take any shape of their type.
using ShapeRanges = std::map<std::string, ProfileSpec>;
/// One shape for each named input.
using InputShapes = std::map<std::string, Shape>;

/// An optimisation profile: shapes that a plan admits together, and those among them that are made ready when
/// it is opened.
struct PlanProfile {
  ShapeRanges shapes;
  /// Engines recompile for a shape that they have not met. A session runs each of these once before its first
  /// result is asked for; others are counted as cold, and refused where the session is strict.
  std::vector<InputShapes> buckets;
};

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
  int cores = 0;                      ///< core budget; 0: all
  int streams = 1;                    ///< inferences at once that the engine is laid out for
  std::uint64_t workspace_bytes = 0;  ///< memory that one context may take beside weights; 0: no limit

  std::string model_digest;   ///< SHA-256 of the model inside, as ModelInfo::digest
  std::string source_digest;  ///< the same of the model it was made from; empty when unknown
  /// What the source was exported from, as a JSON object; "" for an ONNX file that was given as such.
  std::string origin_json;
  std::string data_digest;                ///< SHA-256 of the data it was accepted with; empty when unknown
  std::vector<std::string> cpu_features;  ///< needed, e.g. "avx512_vnni"; names as in /proc/cpuinfo
  std::string gpu;                        ///< needed, e.g. "NVIDIA H200"; empty: none

  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  std::vector<PlanProfile> profiles;  ///< empty: every shape of the inputs' types

  std::string precision;       ///< "fp32", "int8", …
  std::string precision_json;  ///< details as a JSON object; "" when there are none
  std::string preprocessing;   ///< the contract's preprocessing in its canonical text; "" without a contract
  std::string preprocessing_fingerprint;
  std::vector<std::string> labels;  ///< class names by index
  std::string acceptance_json;      ///< what was measured and demanded, as JSON; "" when nothing was
  std::string tried_json;           ///< the candidates that were measured for it, as JSON; "" when none were
  std::vector<std::string> engine_notes;  ///< Executable::notes() of the engine inside

  // Known once written; ignored when writing.
  std::uint32_t format_version = kPlanFormatVersion;
  std::uint64_t file_bytes = 0;
  std::vector<PlanSection> sections;
  bool has_engine = false;   ///< the engine's own compiled form lies inside
  std::string signed_by;     ///< the Ed25519 public key whose signature holds, hexadecimal; "": unsigned
  bool sealed_here = false;  ///< written by this user on this machine
};

/// Reads what a plan says about itself after checking every digest in it, and the signature where there is
/// one. Needs no engine. `required_signer`: PEM file of the Ed25519 public key whose signature must be there;
/// empty: anyone's or none. Errors: kNotFound, kIo, kInvalidModel (damaged, cut short, no plan, or a
/// signature that does not hold), kMismatch (another format version or signer; names both), kInvalidInput
/// (required_signer is no such file).
Result<PlanInfo> inspect_plan(const std::filesystem::path& path,
                              const std::filesystem::path& required_signer = {});

}  // namespace tarmac

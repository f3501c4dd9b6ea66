#include "targets/common/missing_target.h"
#include "targets/null/null_target.h"
#include "targets/target.h"
#include "targets/tensorrt/tensorrt_target.h"
#ifdef TARMAC_HAS_OPENVINO
#include "targets/openvino/openvino_target.h"
#endif
#ifdef TARMAC_HAS_ONNXRUNTIME
#include "targets/onnxruntime/onnxruntime_target.h"
#endif

namespace tarmac {
namespace {

#ifndef TARMAC_HAS_OPENVINO
Target& openvino_target() {
  static MissingTarget target("openvino",
                              "this program was built without OpenVINO; run ./dev deps and build again");
  return target;
}
#endif
#ifndef TARMAC_HAS_ONNXRUNTIME
Target& onnxruntime_target() {
  static MissingTarget target("onnxruntime",
                              "this program was built without ONNX Runtime; run ./dev deps and build again");
  return target;
}
#endif

Target& cuda_target() {
  static MissingTarget target("cuda", "not built into this version");
  return target;
}

}  // namespace

const char* to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::kSupported:
      return "supported";
    case Verdict::kFallback:
      return "fallback";
    case Verdict::kRefused:
      return "refused";
  }
  return "?";
}

const FusionRules& Target::fusion_rules() const {
  static const FusionRules kNone;
  return kNone;
}

Result<std::string> Executable::save_engine() const {
  return make_error(ErrorCode::kUnsupported, "this engine has no compiled form of its own");
}

Result<std::unique_ptr<Executable>> Target::load_engine(std::span<const std::byte> /*engine*/,
                                                        // An engine that has such a form keeps its owner.
                                                        // NOLINTNEXTLINE(performance-unnecessary-value-param)
                                                        std::shared_ptr<const void> /*owner*/,
                                                        const std::vector<TensorInfo>& /*inputs*/,
                                                        const std::vector<TensorInfo>& /*outputs*/,
                                                        const CompileOptions& /*options*/) {
  return make_error(ErrorCode::kUnsupported, "target " + name() + " has no compiled form of its own");
}

Status Target::knows(const Model& model) {
  CompileOptions options;
  options.cores = 1;
  TARMAC_TRY(const auto verdicts, check(model, options, no_progress()));
  for (const NodeVerdict& verdict : verdicts) {
    if (verdict.verdict == Verdict::kRefused)
      return make_error(ErrorCode::kUnsupported, verdict.reason, verdict.node);
  }
  return {};
}

const std::vector<Target*>& all_targets() {
  static const std::vector<Target*> targets{
      &openvino_target(), &onnxruntime_target(), &cuda_target(), &tensorrt_target(), &null_target(),
  };
  return targets;
}

Result<Target*> find_target(const std::string& name) {
  std::string names;
  for (Target* target : all_targets()) {
    if (target->name() == name) return target;
    names += (names.empty() ? "" : ", ") + target->name();
  }
  return make_error(ErrorCode::kUsage, "there is no target '" + name + "'; choose one of: " + names);
}

}  // namespace tarmac

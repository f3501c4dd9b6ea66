#include "targets/common/guard.h"
#include "targets/common/node_check.h"
#include "targets/onnxruntime/engine.h"
#include "targets/onnxruntime/engine_form.h"
#include "targets/onnxruntime/fusion.h"
#include "targets/onnxruntime/known_issues.h"
#include "targets/onnxruntime/onnxruntime_target.h"
#include "targets/onnxruntime/operators.h"

namespace tarmac {
namespace onnxruntime {
namespace {

class OrtTarget final : public Target {
 public:
  [[nodiscard]] std::string name() const override { return "onnxruntime"; }
  [[nodiscard]] std::string version() const override {
    return available() ? std::string("ONNX Runtime ") + OrtGetApiBase()->GetVersionString() : "";
  }

  [[nodiscard]] Status available() const override { return library_fits(); }
  [[nodiscard]] const FusionRules& fusion_rules() const override { return onnxruntime::fusion_rules(); }

  [[nodiscard]] bool runs(const ops::Operator& op) const override { return op.cpu != nullptr; }

  static Status library_fits() {
    if (OrtGetApiBase()->GetApi(ORT_API_VERSION) != nullptr) return {};
    return make_error(ErrorCode::kUnavailable,
                      std::string("ONNX Runtime ") + OrtGetApiBase()->GetVersionString() +
                          " is older than the headers that this program was built with (1." +
                          std::to_string(ORT_API_VERSION) + ")");
  }

  Result<std::vector<NodeVerdict>> check(const Model& model, const CompileOptions& options,
                                         Progress& progress) override {
    TARMAC_CHECK_OK(available());
    const auto compile_with = [](CompileOptions with) {
      return [with = std::move(with)](const Model& part) -> Status {
        auto executable = build(part, with);
        return executable ? Status{} : Status(executable.error());
      };
    };
    NodeCheck check;
    check.issues = known_issues();
    check.compile = compile_with(options);
    for (const auto& provider : options.providers) check.configuration += provider + " ";
    if (options.providers.size() > 1 && options.allow_fallback) {
      CompileOptions first = options;
      first.providers.resize(1);
      first.allow_fallback = false;
      check.compile_preferred = compile_with(first);
    }
    return check_nodes(model, check, probes_, progress);
  }

  Result<std::unique_ptr<Executable>> compile(const Model& model, const CompileOptions& options,
                                              Progress& /*progress*/) override {
    TARMAC_CHECK_OK(refuse_known_issues(known_issues(), model, "ONNX Runtime"));
    return build(model, options);
  }

  Result<std::unique_ptr<Executable>> load_engine(std::span<const std::byte> engine,
                                                  std::shared_ptr<const void> owner,
                                                  const std::vector<TensorInfo>& inputs,
                                                  const std::vector<TensorInfo>& outputs,
                                                  const CompileOptions& options) override {
    TARMAC_CHECK_OK(library_fits());
    if (options.profile) {
      return make_error(ErrorCode::kUnsupported,
                        "node times were asked for, and ONNX Runtime's compiled form has its own nodes");
    }
    if (!options.engine_optimizations) {
      return make_error(ErrorCode::kUnsupported, "the engine inside the plan was optimised");
    }
    Compiled compiled;
    compiled.owner = std::move(owner);
    compiled.signature = std::make_shared<const ModelSignature>(ModelSignature{inputs, outputs});
    TARMAC_TRY(compiled.plan, plan_session(options, compiled.notes));
    TARMAC_TRY(const EngineForm form, unpack_engine(engine));
    TARMAC_TRY(compiled.operators, DrivingOperators::create(form.calls, compiled.plan.threads));
    TARMAC_CHECK_OK(guarded(ErrorCode::kInvalidModel, "ONNX Runtime cannot load the engine", [&]() -> Status {
      compiled.session =
          std::make_shared<Ort::Session>(open_ort_file(form.ort_file, compiled.plan, *compiled.operators));
      return {};
    }));
    return make_executable(std::move(compiled));
  }

 private:
  static Result<std::unique_ptr<Executable>> build(const Model& model, const CompileOptions& options) {
    TARMAC_CHECK_OK(library_fits());
    Compiled compiled;
    compiled.profile = options.profile;
    compiled.saveable = options.saveable;
    TARMAC_TRY(auto signature, model_signature(model));
    compiled.signature = std::make_shared<const ModelSignature>(std::move(signature));
    return guarded(ErrorCode::kUnsupported, "ONNX Runtime cannot compile the model",
                   [&]() -> Result<std::unique_ptr<Executable>> {
                     TARMAC_TRY(compiled.plan, plan_session(options, compiled.notes));
                     TARMAC_TRY(compiled.model,
                                make_engine_model(model, DrivingForm::kByNode, WeightForm::kByName));
                     TARMAC_TRY(compiled.operators,
                                DrivingOperators::create(compiled.model.driving, compiled.plan.threads));
                     compiled.session = std::make_shared<Ort::Session>(
                         open_session(compiled.model, compiled.plan, *compiled.operators, {}));
                     if (!options.profile && !compiled.saveable) compiled.model.bytes = {};
                     return make_executable(std::move(compiled));
                   });
  }

  ProbeCache probes_;
};

}  // namespace
}  // namespace onnxruntime

Target& onnxruntime_target() {
  static onnxruntime::OrtTarget target;
  return target;
}

}  // namespace tarmac

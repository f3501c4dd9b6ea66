#include <openvino/core/version.hpp>
#include <openvino/runtime/properties.hpp>

#include "targets/common/cores.h"
#include "targets/common/guard.h"
#include "targets/openvino/engine.h"
#include "targets/openvino/openvino_target.h"

namespace tarmac {
namespace openvino {

ov::Core& core() {
  static auto* const kCore = new ov::Core();
  return *kCore;
}

namespace {

constexpr const char* kDevice = "CPU";

ov::AnyMap engine_options(const CompileOptions& options, int cores) {
  return {
      ov::hint::performance_mode(ov::hint::PerformanceMode::LATENCY),
      ov::inference_num_threads(cores),
      ov::num_streams(1),
      ov::hint::enable_cpu_pinning(false),              // the caller decides where its process runs
      ov::hint::enable_hyper_threading(true),           // the core budget alone limits the threads
      ov::hint::inference_precision(ov::element::f32),  // the plugin's own choice can be bfloat16
      ov::hint::execution_mode(ov::hint::ExecutionMode::ACCURACY),
      ov::enable_profiling(options.profile),
  };
}

class OpenvinoTarget final : public Target {
 public:
  [[nodiscard]] std::string name() const override { return "openvino"; }

  [[nodiscard]] std::string version() const override {
    const std::string build = ov::get_openvino_version().buildNumber;  // "2026.4.0-22959-…"
    return available() ? "OpenVINO " + build.substr(0, build.find('-')) + " (CPU)" : "";
  }

  [[nodiscard]] Status available() const override {
    return guarded(ErrorCode::kUnavailable, "OpenVINO's CPU plugin cannot be loaded", []() -> Status {
      core().get_property(kDevice, ov::device::full_name);
      return {};
    });
  }

  Result<std::vector<NodeVerdict>> check(const Model& /*model*/, const CompileOptions& /*options*/,
                                         Progress& /*progress*/) override {
    return make_error(ErrorCode::kInternal, "not yet");
  }

  Result<std::unique_ptr<Executable>> compile(const Model& model, const CompileOptions& options,
                                              Progress& /*progress*/) override {
    if (!options.providers.empty()) {
      return make_error(ErrorCode::kUsage,
                        "target openvino takes no providers; they belong to target onnxruntime");
    }
    Compiled compiled;
    compiled.profile = options.profile;
    TARMAC_TRY(auto signature, model_signature(model));
    compiled.signature = std::make_shared<const ModelSignature>(std::move(signature));
    TARMAC_TRY(const int cores, resolve_cores(options.cores, compiled.notes));
    TARMAC_TRY(EngineModel engine_model, make_engine_model(model));
    compiled.labels = std::move(engine_model.labels);
    TARMAC_CHECK_OK(guarded(ErrorCode::kUnsupported, "OpenVINO cannot compile the model", [&]() -> Status {
      auto network = core().read_model(engine_model.bytes, ov::Tensor());
      engine_model.bytes = {};  // before the plugin makes its own copy of the weights
      compiled.model = core().compile_model(network, kDevice, engine_options(options, cores));
      return {};
    }));
    if (!options.engine_optimizations) {
      compiled.notes.push_back("OpenVINO has no switch for its graph rewriting; it stays on");
    }
    return make_executable(std::move(compiled));
  }
};

}  // namespace
}  // namespace openvino

Target& openvino_target() {
  static openvino::OpenvinoTarget target;
  return target;
}

}  // namespace tarmac

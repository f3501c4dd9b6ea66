#include <openvino/core/version.hpp>
#include <openvino/runtime/properties.hpp>

#include "targets/common/cores.h"
#include "targets/common/guard.h"
#include "targets/common/node_check.h"
#include "targets/openvino/engine.h"
#include "targets/openvino/fusion.h"
#include "targets/openvino/known_issues.h"
#include "targets/openvino/openvino_target.h"
#include "targets/openvino/operators.h"

namespace tarmac {
namespace openvino {

ov::Core& core() {
  static ov::Core* const kCore = [] {
    auto* made = new ov::Core();
    add_driving_operators(*made);
    return made;
  }();
  return *kCore;
}

namespace {

constexpr const char* kDevice = "CPU";

ov::AnyMap engine_options(const CompileOptions& options, int cores) {
  return {
      ov::hint::performance_mode(ov::hint::PerformanceMode::LATENCY),
      ov::inference_num_threads(cores),
      ov::num_streams(options.streams),
      ov::hint::enable_cpu_pinning(false),              // the caller decides where its process runs
      ov::hint::enable_hyper_threading(true),           // the core budget alone limits the threads
      ov::hint::inference_precision(ov::element::f32),  // the plugin's own choice can be bfloat16
      ov::hint::execution_mode(ov::hint::ExecutionMode::ACCURACY),
      ov::enable_profiling(options.profile),
  };
}

/// The CPU plugin has kernels for fewer types than ONNX; nothing of that shall be silent.
void note_types(const Model& model, std::vector<std::string>& notes) {
  bool has_float64 = false;
  bool has_half = false;
  const auto look = [&](const Value* value) {
    if (value == nullptr) return;
    const DType dtype = value->initializer() != nullptr ? value->initializer()->dtype() : value->type.dtype;
    has_float64 = has_float64 || dtype == DType::kFloat64;
    has_half = has_half || dtype == DType::kFloat16 || dtype == DType::kBFloat16;
  };
  for_each_node(*model.graph, [&](const Node& node) {
    for (const Value* value : node.inputs()) look(value);
    for (const Value* value : node.outputs()) look(value);
  });
  if (has_float64)
    notes.push_back("OpenVINO computes float64 as float32: less precise, and beyond 3.4e38 clamped");
  if (has_half) notes.push_back("OpenVINO computes float16 and bfloat16 as float32 here");
  for (const Value* input : model.graph->inputs()) {
    if (input->type.dtype == DType::kInt64 || input->type.dtype == DType::kUint64) {
      notes.push_back("OpenVINO computes 64-bit integers (input '" + input->name() + "') as 32-bit ones");
    }
  }
}

void note_streams(const ov::CompiledModel& model, int asked, std::vector<std::string>& notes) {
  const int made = model.get_property(ov::num_streams).num;
  if (made == asked) return;
  notes.push_back("asked for " + std::to_string(asked) + " streams, OpenVINO made " + std::to_string(made));
}

/// Memory for a tensor that lies elsewhere and is read only.
struct Borrowed {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;

  void* allocate(std::size_t /*size*/, std::size_t /*alignment*/) {
    return const_cast<std::byte*>(bytes.data());
  }
  void deallocate(void* /*memory*/, std::size_t /*size*/, std::size_t /*alignment*/) noexcept {}
  [[nodiscard]] bool is_equal(const Borrowed& other) const { return bytes.data() == other.bytes.data(); }
};

class OpenvinoTarget final : public Target {
 public:
  [[nodiscard]] std::string name() const override { return "openvino"; }

  [[nodiscard]] std::string version() const override {
    const std::string build = ov::get_openvino_version().buildNumber;  // "2026.4.0-22959-…"
    return "OpenVINO " + build.substr(0, build.find('-')) + " (CPU)";
  }

  [[nodiscard]] const FusionRules& fusion_rules() const override { return openvino::fusion_rules(); }

  [[nodiscard]] bool runs(const ops::Operator& op) const override { return op.cpu != nullptr; }

  [[nodiscard]] Status available() const override {
    return guarded(ErrorCode::kUnavailable, "OpenVINO's CPU plugin cannot be loaded", []() -> Status {
      core().get_property(kDevice, ov::device::full_name);
      return {};
    });
  }

  Result<std::vector<NodeVerdict>> check(const Model& model, const CompileOptions& options,
                                         Progress& progress) override {
    TARMAC_CHECK_OK(available());
    NodeCheck check;
    check.issues = known_issues();
    check.compile = [&](const Model& part) -> Status {
      auto executable = build(part, options);
      return executable ? Status{} : Status(executable.error());
    };
    return check_nodes(model, check, probes_, progress);
  }

  /// Reading says what OpenVINO lacks; its plugin runs all that it reads, natively or by a reference.
  Status knows(const Model& model) override {
    TARMAC_CHECK_OK(refuse_known_issues(known_issues(), model, "OpenVINO"));
    TARMAC_TRY(const EngineModel engine_model, make_engine_model(model, DrivingForm::kByOperator));
    return guarded(ErrorCode::kUnsupported, "OpenVINO cannot read the model", [&]() -> Status {
      (void)core().read_model(engine_model.bytes, ov::Tensor());
      return {};
    });
  }

  Result<std::unique_ptr<Executable>> compile(const Model& model, const CompileOptions& options,
                                              Progress& /*progress*/) override {
    TARMAC_CHECK_OK(refuse_known_issues(known_issues(), model, "OpenVINO"));
    return build(model, options);
  }

  Result<std::unique_ptr<Executable>> load_engine(std::span<const std::byte> engine,
                                                  std::shared_ptr<const void> owner,
                                                  const std::vector<TensorInfo>& inputs,
                                                  const std::vector<TensorInfo>& outputs,
                                                  const CompileOptions& options) override {
    if (options.profile) {
      return make_error(ErrorCode::kUnsupported,
                        "node times were asked for, and OpenVINO's compiled form has no ONNX node names");
    }
    Compiled compiled;
    compiled.signature = std::make_shared<const ModelSignature>(ModelSignature{inputs, outputs});
    TARMAC_TRY(const int cores, resolve_cores(options.cores, compiled.notes));
    TARMAC_CHECK_OK(guarded(ErrorCode::kInvalidModel, "OpenVINO cannot load the engine", [&]() -> Status {
      // The engine's weights go on lying there.
      const ov::Tensor blob(ov::element::u8, {engine.size()}, ov::Allocator(Borrowed{engine, owner}));
      compiled.model = core().import_model(blob, kDevice, engine_options(options, cores));
      note_streams(compiled.model, options.streams, compiled.notes);
      return {};
    }));
    return make_executable(std::move(compiled));
  }

 private:
  static Result<std::unique_ptr<Executable>> build(const Model& model, const CompileOptions& options) {
    if (!options.providers.empty()) {
      return make_error(ErrorCode::kUsage,
                        "target openvino takes no providers; they belong to target onnxruntime");
    }
    Compiled compiled;
    compiled.profile = options.profile;
    TARMAC_TRY(auto signature, model_signature(model));
    compiled.signature = std::make_shared<const ModelSignature>(std::move(signature));
    TARMAC_TRY(const int cores, resolve_cores(options.cores, compiled.notes));
    TARMAC_CHECK_OK(check_streams(options.streams));
    TARMAC_TRY(EngineModel engine_model,
               make_engine_model(model, DrivingForm::kByOperator, WeightForm::kByAddress));
    compiled.labels = std::move(engine_model.labels);
    TARMAC_CHECK_OK(guarded(ErrorCode::kUnsupported, "OpenVINO cannot compile the model", [&]() -> Status {
      auto network = core().read_model(engine_model.bytes, ov::Tensor());
      // Before the plugin makes its own copy of the weights.
      engine_model.bytes = {};
      engine_model.weights = {};
      compiled.model = core().compile_model(network, kDevice, engine_options(options, cores));
      return {};
    }));
    note_types(model, compiled.notes);
    note_streams(compiled.model, options.streams, compiled.notes);
    if (!options.engine_optimizations) {
      compiled.notes.push_back("OpenVINO has no switch for its graph rewriting; it stays on");
    }
    return make_executable(std::move(compiled));
  }

  ProbeCache probes_;
};

}  // namespace
}  // namespace openvino

Target& openvino_target() {
  static openvino::OpenvinoTarget target;
  return target;
}

}  // namespace tarmac

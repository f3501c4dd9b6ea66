#include "work.h"

#include <nanobind/stl/map.h>
#include <nanobind/stl/set.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "arrays.h"
#include "deploy/open_data.h"
#include "deploy/optimize_model.h"
#include "graph/model_io.h"
#include "json.h"
#include "model.h"
#include "passes/infer_shapes.h"
#include "precision/convert.h"
#include "report/model_json.h"
#include "runtime/compile.h"
#include "runtime/open_model.h"
#include "tarmac/plan.h"
#include "verify/find_culprit.h"
#include "verify/reference_engine.h"

namespace tarmac::python {
namespace {

using Json = nlohmann::ordered_json;
using Words = std::vector<std::string>;

constexpr std::int64_t kMadeUpSamples = 5;
constexpr std::int64_t kProfiledSamples = 3;

template <typename T>
T option(const nb::dict& options, const char* name) {
  return nb::cast<T>(options[name]);
}

Result<Target*> open_target(const std::string& name) {
  TARMAC_TRY(Target* const target, find_target(name));
  TARMAC_CHECK_OK(target->available());
  return target;
}

Result<std::vector<Target*>> open_targets(const Words& names) {
  std::vector<Target*> targets;
  for (const std::string& name : names) {
    TARMAC_TRY(targets.emplace_back(), open_target(name));
  }
  return targets;
}

std::string targets() {
  Json list = Json::array();
  unlocked([&] {
    for (const Target* target : all_targets()) {
      const Status available = target->available();
      list.push_back({{"name", target->name()},
                      {"engine_version", target->version()},
                      {"available", available.ok()},
                      {"reason", available ? "" : available.error().str()}});
    }
  });
  return dump(list);
}

/// Borrowed samples, each with a first axis of 1.
using SampleList = std::vector<NamedTensors>;

SampleList to_samples(const nb::list& samples) {
  SampleList list;
  for (const nb::handle sample : samples) {
    NamedTensors tensors;
    for (const auto [name, value] : nb::cast<nb::dict>(sample))
      tensors.emplace(nb::cast<std::string>(name), to_tensor(value));
    list.push_back(std::move(tensors));
  }
  return list;
}

SampleSource replay(const SampleList& samples) {
  return [&samples, next = std::size_t{0}]() mutable -> Result<std::optional<NamedTensors>> {
    if (next == samples.size()) return std::optional<NamedTensors>();
    return std::optional(samples[next++]);
  };
}

std::vector<TensorInfo> inputs_of(const Model& model) {
  std::vector<TensorInfo> inputs;
  for (const Value* input : model.graph->inputs()) {
    if (input->initializer() == nullptr) inputs.push_back({input->name(), input->type});
  }
  return inputs;
}

std::string check_model(const PyModel& model, const std::string& name, const Words& providers,
                        bool allow_fallback) {
  return dump(interruptible([&](Progress& progress) -> Result<Json> {
    TARMAC_TRY(Target* const target, open_target(name));
    CompileOptions options;
    options.providers = providers;
    options.allow_fallback = allow_fallback;
    TARMAC_TRY(const auto verdicts, target->check(model.get(), options, progress));
    const bool runs = std::none_of(verdicts.begin(), verdicts.end(), [&](const NodeVerdict& verdict) {
      return verdict.verdict == Verdict::kRefused ||
             (verdict.verdict == Verdict::kFallback && !allow_fallback);
    });
    return Json({{"target", target->name()},
                 {"engine_version", target->version()},
                 {"runs", runs},
                 {"nodes", to_json(verdicts)}});
  }));
}

/// The model in another precision, and what that changed.
struct PrecisionWork {
  std::string type;
  bool keep_io;
  Words keep;
  double max_error;
};

Result<Json> convert(Model& model, const PrecisionWork& work, const SampleList& samples,
                     const std::vector<Target*>& targets, Progress& progress) {
  const DType type = dtype_from_string(work.type);
  if (type == DType::kFloat32) {
    TARMAC_TRY(const Float32Report report, convert_to_float32(model, work.keep_io));
    return Json({{"type", "float32"}, {"values", report.values}, {"weights", report.weights}});
  }
  if (type != DType::kFloat16 && type != DType::kBFloat16) {
    return make_error(ErrorCode::kUsage, "precision: expected fp16, bf16 or fp32, found '" + work.type + "'");
  }
  PlanOptions options;
  options.type = type;
  options.keep_io = work.keep_io;
  options.keep = {work.keep.begin(), work.keep.end()};
  options.tolerance = work.max_error;
  options.targets = targets;
  const std::vector<TensorInfo> inputs = inputs_of(model);
  const DataFactory data = [&]() -> Result<BatchSource> {
    if (!samples.empty()) return BatchSource(replay(samples));
    return BatchSource(made_up_batches(inputs, {}, kProfiledSamples));
  };
  TARMAC_TRY(Target* const engine, reference_target());
  TARMAC_TRY(const PrecisionReport report, convert_precision(model, options, *engine, data, progress));
  return to_json(report);
}

/// The proof that the result computes what the original does; the pass that is to blame where it does not.
Result<Json> prove(const Model& original, const Model& before, const Model& optimized,
                   const OptimizeOptions& options, const std::vector<Target*>& targets,
                   const SampleList& samples, Progress& progress) {
  EquivalenceOptions comparing;
  if (!samples.empty()) {
    comparing.data = [&](std::size_t) -> Result<SampleSource> { return replay(samples); };
    comparing.data_name = "samples";
  }
  TARMAC_TRY(const EquivalenceReport report, compare_models(original, optimized, comparing, progress));
  if (!report.difference) return to_json(report);
  OptimizeOptions again = options;
  const EngineOptions engine(std::move(again), targets);
  TARMAC_TRY(const Culprit culprit, find_culprit(before, engine.options(), *report.difference, progress));
  return to_error(*report.difference, culprit);
}

nb::tuple optimize_graph(const PyModel& source, const nb::dict& options, const nb::list& sample_list) {
  OptimizeOptions passes;
  const auto skip = option<Words>(options, "skip");
  const auto only = option<Words>(options, "only");
  passes.skip = {skip.begin(), skip.end()};
  passes.only = {only.begin(), only.end()};
  passes.trace = option<std::string>(options, "trace");
  const auto number = [&](const char* name) -> std::optional<std::int64_t> {
    const auto value = option<std::int64_t>(options, name);
    return value == 0 ? std::nullopt : std::optional(value);
  };
  passes.opset = number("opset");
  passes.heads = number("heads");
  passes.hidden_size = number("hidden");
  const auto shapes = option<std::map<std::string, Shape>>(options, "fix_shapes");
  const auto names = option<Words>(options, "targets");
  const bool verify = option<bool>(options, "verify");
  const PrecisionWork precision{option<std::string>(options, "precision"), option<bool>(options, "keep_io"),
                                option<Words>(options, "keep_fp32"), option<double>(options, "max_error")};
  const SampleList samples = to_samples(sample_list);

  Model model = clone_model(source.get());
  const Json json = interruptible([&](Progress& progress) -> Result<Json> {
    TARMAC_TRY(const std::vector<Target*> targets, open_targets(names));
    for (const auto& [input, shape] : shapes) TARMAC_CHECK_OK(fix_input_shape(model, input, shape));
    const Model before = verify ? clone_model(model) : Model();
    TARMAC_TRY(const OptimizeReport report, optimize_model(model, passes, targets, progress));
    Json done = to_json(report);
    if (verify) {
      TARMAC_TRY(done["verify"], prove(source.get(), before, model, passes, targets, samples, progress));
    }
    if (!precision.type.empty()) {
      TARMAC_TRY(done["precision"], convert(model, precision, samples, targets, progress));
      TARMAC_CHECK_OK(lift_again(model, passes, targets, progress));
    }
    if (progress.cancelled()) return make_error(ErrorCode::kCancelled, "interrupted");
    return done;
  });
  return nb::make_tuple(PyModel(std::move(model)), dump(json));
}

struct Subject {
  std::unique_ptr<Executable> executable;
  Target* target = nullptr;
  std::optional<PlanInfo> plan;
};

/// A plan by its path, or a model.
Result<Subject> open_subject(const std::string& path, const Model* model, const std::string& target,
                             Progress& progress) {
  Subject subject;
  if (model == nullptr) {
    OpenOptions options;
    options.target = target;
    TARMAC_TRY(OpenedModel opened, open_model(path, options, progress));
    subject.executable = std::move(opened.executable);
    subject.target = opened.target;
    subject.plan = std::move(opened.plan);
    return subject;
  }
  TARMAC_TRY(subject.target, open_target(target.empty() ? "openvino" : target));
  Model copy = clone_model(*model);
  TARMAC_TRY(subject.executable, compile_model(*subject.target, copy, {}, progress));
  return subject;
}

std::string verify_models(const nb::object& model, const PyModel& reference_model,
                          const nb::list& sample_list, const nb::dict& options) {
  const SampleList samples = to_samples(sample_list);
  const auto limit = option<double>(options, "max_error");
  const auto target = option<std::string>(options, "target");
  ShapeChoice shapes;
  shapes.shapes = option<std::map<std::string, Shape>>(options, "shapes");
  DataRequest request;
  request.data = option<std::string>(options, "data");
  request.contract = option<std::string>(options, "contract");
  request.samples = option<std::int64_t>(options, "limit");
  const bool is_graph = nb::isinstance<PyModel>(model);
  const Model* const graph = is_graph ? &nb::cast<const PyModel&>(model).get() : nullptr;
  const std::string path = is_graph ? "" : nb::cast<std::string>(model);

  return dump(interruptible([&](Progress& progress) -> Result<Json> {
    TARMAC_TRY(const auto reference, compile_reference(reference_model.get(), progress));
    TARMAC_TRY(const Subject subject, open_subject(path, graph, target, progress));
    if (subject.plan && !subject.plan->profiles.empty()) {
      for (const auto& [name, range] : subject.plan->profiles.front().shapes)
        shapes.shapes.emplace(name, range.opt);
    }
    std::unique_ptr<OpenData> data;
    std::string from = samples.empty() ? "made up" : "samples";
    SampleSource source = samples.empty()
                              ? made_up_batches(reference->inputs(), shapes,
                                                request.samples > 0 ? request.samples : kMadeUpSamples)
                              : replay(samples);
    if (samples.empty() && request.given()) {
      TARMAC_TRY(data, OpenData::open(request, reference_model.get()));
      TARMAC_TRY(source, data->batches(1));
      from = data->path();
    }
    TARMAC_TRY(const auto comparison, compare_outputs(*reference, *subject.executable, source, progress));
    return Json({{"passed", within(comparison, limit)},
                 {"max_error", limit},
                 {"target", subject.target->name()},
                 {"engine_version", subject.target->version()},
                 {"data", from},
                 {"outputs", to_json(comparison)}});
  }));
}

}  // namespace

void bind_work(nb::module_& module) {
  module.def("targets", &targets);
  module.def("check", &check_model);
  module.def("optimize", &optimize_graph);
  module.def("verify", &verify_models);
  module.def("inspect_plan", [](const std::string& path, const std::string& signer) {
    return dump(to_json(value_of(unlocked([&] { return inspect_plan(path, signer); }))));
  });
}

}  // namespace tarmac::python

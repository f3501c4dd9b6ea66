#include <chrono>
#include <memory>

#include "cli/args/model_args.h"
#include "cli/args/shape_args.h"
#include "cli/args/target_args.h"
#include "cli/commands/commands.h"
#include "cli/histogram.h"
#include "graph/model_io.h"
#include "metrics/latency.h"
#include "runtime/compile.h"
#include "runtime/inputs.h"
#include "runtime/measure.h"
#include "runtime/memory.h"

namespace tarmac::cli {
namespace {

constexpr int kBins = 12;
constexpr int kProfiledRuns = 10;
constexpr std::size_t kShownNodes = 15;

struct BenchArgs {
  std::string model;
  TargetArgs target;
  std::int64_t batch = 0;
  int streams = 1;
  std::vector<std::string> shapes;
  double duration_s = 2;
  bool profile = false;
};

/// What the engine put in to change layouts and dtypes, in one run.
struct Reorders {
  std::size_t count = 0;
  std::int64_t time_ns = 0;
};

/// A model on one target, ready to be timed, and what was found.
struct Subject {
  LoadedModel loaded;
  std::unique_ptr<Executable> executable;
  std::vector<std::unique_ptr<Context>> contexts;
  std::map<std::string, Tensor> inputs;
  std::int64_t compile_ns = 0;
  std::vector<std::int64_t> times_ns;
  LatencySummary latency;
  double runs_per_s = 0;
  std::vector<NodeTime> nodes;  ///< slowest first
  Reorders reorders;

  [[nodiscard]] std::vector<Context*> context_pointers() const {
    std::vector<Context*> pointers;
    for (const auto& context : contexts) pointers.push_back(context.get());
    return pointers;
  }
};

/// --batch as sizes for the first dimension of every input.
Status choose_batch(const std::vector<TensorInfo>& inputs, std::int64_t batch, ShapeChoice& choice) {
  for (const TensorInfo& input : inputs) {
    if (choice.shapes.contains(input.name) || !input.type.shape || input.type.shape->empty()) continue;
    const Dim& first = input.type.shape->front();
    if (first.known() && *first.size != batch) {
      return make_error(
          ErrorCode::kUsage,
          fmt::format("--batch {}: input '{}' has a fixed batch size of {}; export the model with "
                      "a dynamic batch, or leave --batch out",
                      batch, input.name, *first.size));
    }
    if (!first.symbol.empty()) choice.symbols[first.symbol] = batch;
    if (!first.known() && first.symbol.empty()) {
      Shape& shape = choice.shapes[input.name];
      for (const Dim& dim : *input.type.shape) shape.push_back(dim.size.value_or(1));
      shape.front() = batch;
    }
  }
  return {};
}

Result<ShapeChoice> choose_shapes(const BenchArgs& args, const Subject& subject) {
  ShapeChoice choice;
  for (const std::string& text : args.shapes) {
    TARMAC_TRY(auto named, parse_named_shape(text));
    choice.shapes.insert(std::move(named));
  }
  if (args.batch > 0) {
    TARMAC_CHECK_OK(choose_batch(subject.executable->inputs(), args.batch, choice));
  } else if (subject.loaded.plan && !subject.loaded.plan->profiles.empty()) {
    for (const auto& [name, spec] : subject.loaded.plan->profiles.front())
      choice.shapes.emplace(name, spec.opt);
  }
  return choice;
}

Result<Subject> prepare(const BenchArgs& args, const std::string& target, Run& run) {
  Subject subject;
  TARMAC_TRY(subject.loaded, load_model_or_plan(args.model, target, args.target.compile_options()));
  Model copy = clone_model(subject.loaded.model);
  const auto begin = std::chrono::steady_clock::now();
  auto executable = compile_model(*subject.loaded.target, copy, subject.loaded.options, run.progress);
  if (!executable) return std::move(executable).error();
  subject.compile_ns =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - begin).count();
  subject.executable = *std::move(executable);
  TARMAC_TRY(const ShapeChoice choice, choose_shapes(args, subject));
  TARMAC_TRY(subject.inputs, random_inputs(subject.executable->inputs(), choice, 1));
  for (int i = 0; i < args.streams; ++i) {
    TARMAC_TRY(subject.contexts.emplace_back(), subject.executable->create_context());
    TARMAC_CHECK_OK(bind_inputs(*subject.contexts.back(), subject.inputs));
  }
  return subject;
}

/// One stream: all targets in turns, so that they meet the same machine. Several streams: one target after
/// another, each with all its streams at once.
Status measure(const BenchArgs& args, std::vector<Subject>& subjects, Run& run) {
  MeasureOptions options;
  options.duration_s = args.duration_s;
  run.progress.start("measure", 0);
  if (args.streams == 1) {
    std::vector<Context*> contexts;
    for (const Subject& subject : subjects) contexts.push_back(subject.contexts.front().get());
    TARMAC_TRY(auto times, measure_interleaved(contexts, options, run.progress));
    for (std::size_t i = 0; i < subjects.size(); ++i) subjects[i].times_ns = std::move(times[i]);
  } else {
    for (Subject& subject : subjects) {
      TARMAC_TRY(Throughput throughput,
                 measure_throughput(subject.context_pointers(), options, run.progress));
      subject.runs_per_s = throughput.runs_per_second();
      subject.times_ns = std::move(throughput.latency_ns);
    }
  }
  run.progress.finish();
  for (Subject& subject : subjects) {
    TARMAC_TRY(subject.latency, summarize_latency(subject.times_ns));
    if (args.streams == 1) subject.runs_per_s = 1e9 / subject.latency.mean_ns;
  }
  return {};
}

/// Mean times of the nodes over a few runs of a separate, profiled compilation.
Status profile(Subject& subject, Run& run) {
  CompileOptions options = subject.loaded.options;
  options.profile = true;
  Model copy = clone_model(subject.loaded.model);
  TARMAC_TRY(const auto executable, compile_model(*subject.loaded.target, copy, options, run.progress));
  TARMAC_TRY(const auto context, executable->create_context());
  TARMAC_CHECK_OK(bind_inputs(*context, subject.inputs));
  TARMAC_CHECK_OK(context->run());
  std::map<std::pair<std::string, std::string>, NodeTime> sums;
  for (int i = 0; i < kProfiledRuns; ++i) {
    if (run.progress.cancelled()) return make_error(ErrorCode::kCancelled, "interrupted");
    TARMAC_CHECK_OK(context->run());
    TARMAC_TRY(const auto nodes, context->profile());
    subject.reorders.count = 0;
    for (const NodeTime& node : nodes) {
      if (node.reorder) {
        ++subject.reorders.count;
        subject.reorders.time_ns += node.time_ns;
      }
      NodeTime& sum = sums[{node.node, node.kernel}];
      sum = {node.node, node.op_type, node.kernel, sum.time_ns + node.time_ns, node.reorder};
    }
  }
  subject.reorders.time_ns /= kProfiledRuns;
  for (auto& [key, node] : sums) {
    node.time_ns /= kProfiledRuns;
    subject.nodes.push_back(std::move(node));
  }
  std::stable_sort(subject.nodes.begin(), subject.nodes.end(),
                   [](const auto& a, const auto& b) { return a.time_ns > b.time_ns; });
  return {};
}

Json to_json(const BenchArgs& args, const Subject& subject, const LatencyHistogram& histogram) {
  Json inputs = Json::object();
  for (const auto& [name, tensor] : subject.inputs) inputs[name] = tensor.shape();
  const LatencySummary& latency = subject.latency;
  Json json = {
      {"target", subject.loaded.target->name()},
      {"engine_version", subject.loaded.target->version()},
      {"notes", subject.executable->notes()},
      {"inputs", inputs},
      {"compile_ns", subject.compile_ns},
      {"latency_ns",
       {{"samples", latency.samples},
        {"min", latency.min_ns},
        {"mean", latency.mean_ns},
        {"stddev", latency.stddev_ns},
        {"p50", latency.p50_ns},
        {"p90", latency.p90_ns},
        {"p99", latency.p99_ns},
        {"p99.9", latency.p999_ns},
        {"max", latency.max_ns}}},
      {"histogram",
       {{"first_ns", histogram.first_ns}, {"bin_ns", histogram.bin_ns}, {"counts", histogram.counts}}},
      {"inferences_per_s", subject.runs_per_s}};
  if (args.batch > 0) json["samples_per_s"] = subject.runs_per_s * static_cast<double>(args.batch);
  if (args.profile) {
    json["nodes"] = Json::array();
    for (const NodeTime& node : subject.nodes) {
      json["nodes"].push_back({{"node", node.node},
                               {"operator", node.op_type},
                               {"kernel", node.kernel},
                               {"time_ns", node.time_ns},
                               {"reorder", node.reorder}});
    }
    json["reorders"] = {{"count", subject.reorders.count}, {"time_ns", subject.reorders.time_ns}};
  }
  return json;
}

void print_nodes(Output& output, const Subject& subject) {
  std::int64_t total_ns = 0;
  for (const NodeTime& node : subject.nodes) total_ns += node.time_ns;
  Table table(
      {{"node"}, {"operator"}, {"kernel"}, {"time", Table::Align::kRight}, {"share", Table::Align::kRight}});
  for (std::size_t i = 0; i < std::min(kShownNodes, subject.nodes.size()); ++i) {
    const NodeTime& node = subject.nodes[i];
    const double share =
        total_ns > 0 ? 100 * static_cast<double>(node.time_ns) / static_cast<double>(total_ns) : 0;
    table.add({node.node, node.op_type, node.kernel, format_time(static_cast<double>(node.time_ns)),
               fmt::format("{:.1f} %", share)});
  }
  output.line("Slowest of {} nodes (profiled, {} in all):", subject.nodes.size(),
              format_time(static_cast<double>(total_ns)));
  table.print(output);
  output.line("The engine put in {} changes of memory layout or dtype, {} in all.", subject.reorders.count,
              format_time(static_cast<double>(subject.reorders.time_ns)));
}

Status report(const BenchArgs& args, const std::vector<Subject>& subjects, Run& run) {
  Output& output = run.output;
  output.json() = {{"model", args.model}, {"streams", args.streams}, {"results", Json::array()}};
  Table table({{"target"},
               {"compile", Table::Align::kRight},
               {"mean", Table::Align::kRight},
               {"p50", Table::Align::kRight},
               {"p90", Table::Align::kRight},
               {"p99", Table::Align::kRight},
               {"p99.9", Table::Align::kRight},
               {"inferences/s", Table::Align::kRight},
               {args.batch > 0 ? "samples/s" : "", Table::Align::kRight}});
  for (const Subject& subject : subjects) {
    const LatencySummary& latency = subject.latency;
    const auto time = [](auto ns) { return format_time(static_cast<double>(ns)); };
    table.add(
        {subject.loaded.target->name(), time(subject.compile_ns), time(latency.mean_ns), time(latency.p50_ns),
         time(latency.p90_ns), time(latency.p99_ns), time(latency.p999_ns),
         fmt::format("{:.1f}", subject.runs_per_s),
         args.batch > 0 ? fmt::format("{:.1f}", subject.runs_per_s * static_cast<double>(args.batch)) : ""});
  }
  output.line("{}: {} s on each target, {} stream{}, made-up inputs", args.model, args.duration_s,
              args.streams, args.streams == 1 ? "" : "s");
  for (const auto& [name, tensor] : subjects.front().inputs)
    output.line("  {} {}", name, tarmac::to_string(tensor.shape()));
  table.print(output);
  for (const Subject& subject : subjects) {
    TARMAC_TRY(const LatencyHistogram histogram, make_histogram(subject.times_ns, kBins));
    output.json()["results"].push_back(to_json(args, subject, histogram));
    output.line("Latency on {} ({} runs)", subject.loaded.target->version(),
                format_count(subject.latency.samples));
    print(output, histogram);
    if (args.profile) print_nodes(output, subject);
    for (const std::string& note : subject.executable->notes()) output.line("Note: {}", note);
  }
  if (const auto memory = memory_use()) {
    output.json()["memory"] = {{"resident_bytes", memory->resident_bytes},
                               {"peak_resident_bytes", memory->peak_resident_bytes}};
    output.line("Memory of this process: {} now, {} at most", format_bytes(memory->resident_bytes),
                format_bytes(memory->peak_resident_bytes));
  }
  return {};
}

Status bench(const BenchArgs& args, Run& run) {
  std::vector<std::string> targets = args.target.names;
  if (targets.empty()) targets.emplace_back();
  std::vector<Subject> subjects;
  for (const std::string& target : targets) {
    TARMAC_TRY(Subject subject, prepare(args, target, run));
    subjects.push_back(std::move(subject));
  }
  TARMAC_CHECK_OK(measure(args, subjects, run));
  if (args.profile) {
    for (Subject& subject : subjects) TARMAC_CHECK_OK(profile(subject, run));
  }
  return report(args, subjects, run);
}

}  // namespace

void add_bench(Commands& commands) {
  const auto args = std::make_shared<BenchArgs>();
  CLI::App& command = commands.add(
      "bench", "Time a model: latency, throughput, memory, and time per node",
      {"tarmac bench model.onnx --target openvino,onnxruntime",
       "tarmac bench model.plan --duration 10 --json", "tarmac bench model.onnx --batch 8 --streams 2",
       "tarmac bench model.onnx --shape image:1x3x224x224 --profile"},
      [args](Run& run) { return bench(*args, run); });
  command.add_option("model", args->model, "ONNX file or plan")->type_name("MODEL|PLAN")->required();
  command.add_option("--batch", args->batch, "Batch size, for inputs whose first size is open")
      ->type_name("N")
      ->check(CLI::Range(1, 1 << 20));
  command.add_option("--streams", args->streams, "Inferences at a time, each in its own thread (default: 1)")
      ->type_name("N")
      ->check(CLI::Range(1, 1024));
  command.add_option("--shape", args->shapes, "Shape of an input; repeat it for further inputs")
      ->type_name("NAME:SHAPE")
      ->allow_extra_args(false);
  command.add_option("--duration", args->duration_s, "Seconds of measured runs on each target (default: 2)")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.01, 86400.0));
  command.add_flag("--profile", args->profile, "Also list the slowest nodes");
  args->target.add_several(command);
}

}  // namespace tarmac::cli

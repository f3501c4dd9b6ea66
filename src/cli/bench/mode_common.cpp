#include "cli/bench/mode_common.h"

#include <algorithm>

namespace tarmac::cli {

std::string extent_text(const BenchArgs& args) {
  if (args.iterations > 0) return format_count(args.iterations) + (args.iterations == 1 ? " run" : " runs");
  return fmt::format("{:g} s", args.duration_s);
}

void start_timed(Run& run, std::string_view task, const BenchArgs& args, std::size_t times,
                 std::int64_t run_ns) {
  const double each_s = args.iterations > 0
                            ? static_cast<double>(args.iterations) * static_cast<double>(run_ns) / 1e9
                            : args.duration_s;
  run.progress.start(std::string(task) + " (ms)",
                     static_cast<std::uint64_t>(1000 * each_s * static_cast<double>(times)));
}

Result<std::vector<Subject>> open_on_targets(const BenchArgs& args, Run& run) {
  std::vector<Subject> subjects;
  for (const std::string& target : args.targets()) {
    const Setup setup{args.models.front(), target, args.stream_count(), args.batch()};
    run.progress.start("open " + args.models.front(), 0);
    TARMAC_TRY(Subject subject, open_subject(args, setup, run));
    run.progress.finish();
    subjects.push_back(std::move(subject));
  }
  return subjects;
}

void print_inputs(Output& output, const Json& description) {
  for (const auto& [name, shape] : description["inputs"].items())
    output.line("  {} {}", name, tarmac::to_string(shape.get<Shape>()));
  output.line("  {}; {}", description["input_values"].get<std::string>(),
              description["preprocessed"].get<bool>() ? "decoding, preprocessing and inference are timed"
                                                      : "only inference is timed");
}

void report_memory(Output& output, const Result<MemoryUse>& use) {
  if (!use) return;
  output.json()["memory"] = {{"resident_bytes", use->resident_bytes},
                             {"peak_resident_bytes", use->peak_resident_bytes}};
  output.line("Memory of this process: {} now, {} at most", format_bytes(use->resident_bytes),
              format_bytes(use->peak_resident_bytes));
}

std::string warm_up_text(const Subject& subject, const BenchArgs& args) {
  const WarmUp& warm = subject.warm_up;
  const std::string took =
      fmt::format("{:.1f} s, {} run{}", warm.seconds, format_count(warm.runs), warm.runs == 1 ? "" : "s");
  if (args.warmup_s) return took;
  return took + (warm.settled ? ", settled" : ", not settled");
}

void print_brief(Output& output, const BenchArgs& args, const Json& description, const std::string& figures) {
  output.line("tarmac-bench mode={} model={} target={} streams={} batch={} {}", to_string(args.mode),
              description["model"].get<std::string>(), description["target"].get<std::string>(),
              description["streams"].dump(),
              description["batch"].is_null() ? "-" : description["batch"].dump(), figures);
}

void warn(Output& output, const std::string& doubt) {
  if (!doubt.empty()) output.line("Note: {}", doubt);
}

}  // namespace tarmac::cli

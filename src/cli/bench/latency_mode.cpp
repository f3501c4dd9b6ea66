#include <algorithm>

#include "cli/bench/allocations.h"
#include "cli/bench/mode_common.h"
#include "cli/bench/modes.h"
#include "cli/bench/node_profile.h"
#include "cli/histogram.h"

namespace tarmac::cli {
namespace {

/// What one target came to.
struct Found {
  Timing inference;
  std::optional<Timing> preprocess;
  std::optional<Timing> frame;  ///< both
  std::optional<std::uint64_t> context_bytes;
  std::uint64_t weight_bytes = 0;
  std::optional<RunAllocations> allocations;
  std::optional<NodeProfile> profile;

  [[nodiscard]] const Timing& whole() const { return frame ? *frame : inference; }
  [[nodiscard]] double runs_per_s() const { return 1e9 / whole().summary.mean_ns; }
};

Result<Found> evaluate(const WorkTimes& times) {
  Found found;
  if (times.preprocess_ns.empty()) {
    TARMAC_TRY(found.inference, timing_of(times.total_ns));
    return found;
  }
  std::vector<std::int64_t> rest(times.total_ns.size());
  std::transform(times.total_ns.begin(), times.total_ns.end(), times.preprocess_ns.begin(), rest.begin(),
                 std::minus<>());
  TARMAC_TRY(found.inference, timing_of(rest));
  TARMAC_TRY(found.preprocess, timing_of(times.preprocess_ns));
  TARMAC_TRY(found.frame, timing_of(times.total_ns));
  return found;
}

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json result_json(const Subject& subject, const Found& found) {
  Json json = describe(subject);
  json["latency_ns"] = to_json(std::optional(found.inference));
  json["preprocess_ns"] = to_json(found.preprocess);
  json["frame_ns"] = to_json(found.frame);
  json["histogram"] = to_json(found.whole().histogram);
  json["inferences_per_s"] = found.runs_per_s();
  const std::int64_t samples = subject.source->samples();
  json["samples_per_s"] = samples > 0 ? Json(found.runs_per_s() * static_cast<double>(samples)) : Json();
  json["memory"] = {{"loaded_bytes", or_null(subject.loaded_bytes)},
                    {"context_bytes", or_null(found.context_bytes)},
                    {"weight_bytes", found.weight_bytes}};
  json["allocations_per_run"] =
      found.allocations ? Json({{"ours", found.allocations->ours}, {"engines", found.allocations->engines}})
                        : Json();
  if (found.profile) add_to(json, *found.profile);
  return json;
}

void print_table(Output& output, const std::vector<Subject>& subjects, const std::vector<Found>& found) {
  std::vector<Table::Column> columns = {{"target"}, {"part"}};
  for (auto& column : timing_columns()) columns.push_back(std::move(column));
  columns.push_back({"inferences/s", Table::Align::kRight});
  columns.push_back({"samples/s", Table::Align::kRight});
  Table table(std::move(columns));
  for (std::size_t i = 0; i < subjects.size(); ++i) {
    const auto add = [&](const char* part, const Timing& timing, bool whole) {
      std::vector<std::string> cells = {subjects[i].session().target(), part};
      for (std::string& cell : timing_cells(timing)) cells.push_back(std::move(cell));
      const auto samples = static_cast<double>(subjects[i].source->samples());
      cells.push_back(whole ? fmt::format("{:.1f}", found[i].runs_per_s()) : "");
      cells.push_back(whole && samples > 0 ? fmt::format("{:.1f}", samples * found[i].runs_per_s()) : "");
      table.add(std::move(cells));
    };
    if (found[i].preprocess) add("preprocess", *found[i].preprocess, false);
    add("inference", found[i].inference, !found[i].frame);
    if (found[i].frame) add("both", *found[i].frame, true);
  }
  table.print(output);
}

void print_details(Output& output, const BenchArgs& args, const Subject& subject, const Found& found) {
  output.line("{} ({} runs)", subject.session().engine_version(),
              format_count(found.whole().summary.samples));
  print(output, found.whole().histogram, found.whole().summary);
  const auto bytes = [](const std::optional<std::uint64_t>& value) {
    return value ? format_bytes(*value) : std::string("unknown");
  };
  output.line("  opened in {}, first run {}; warm-up {}", time_text(subject.open_ns),
              time_text(subject.first_run_ns), warm_up_text(subject, args));
  output.line("  memory: {} loaded (weights in the file: {}), {} for each further context",
              bytes(subject.loaded_bytes), format_bytes(found.weight_bytes), bytes(found.context_bytes));
  if (found.allocations) {
    output.line("  allocations in a run: {:g} ours, {:g} by the engine", found.allocations->ours,
                found.allocations->engines);
  }
  if (found.profile) print(output, *found.profile);
  for (const std::string& note : subject.session().notes()) output.line("Note: {}", note);
  warn(output, doubt(found.whole(), subject.session().target()));
}

}  // namespace

Status bench_latency(const BenchArgs& args, Run& run) {
  TARMAC_TRY(std::vector<Subject> subjects, open_on_targets(args, run));
  std::vector<Work*> works;
  std::int64_t slowest_ns = 0;
  run.progress.start("warm up", 0);
  for (Subject& subject : subjects) {
    TARMAC_CHECK_OK(warm_up(subject, args, run));
    works.push_back(&subject.work());
    slowest_ns = std::max(slowest_ns, subject.warm_up.last_run_ns);
  }
  start_timed(run, "measure", args, subjects.size(), slowest_ns);
  TARMAC_TRY(const auto times, measure_interleaved(works, args.measured(), run.progress));
  run.progress.finish();
  const auto memory = memory_use();  // before anything that only the report needs

  std::vector<Found> found;
  for (std::size_t i = 0; i < subjects.size(); ++i) {
    TARMAC_TRY(found.emplace_back(), evaluate(times[i]));
    TARMAC_TRY(found.back().allocations, count_allocations(subjects[i].work()));
    TARMAC_TRY(found.back().context_bytes, context_bytes(subjects[i]));
    TARMAC_TRY(found.back().weight_bytes, weight_bytes(subjects[i].setup.model));
    if (args.profile) {
      TARMAC_TRY(found.back().profile, profile_nodes(args, subjects[i], run));
    }
  }

  Output& output = run.output;
  output.line("{}: latency, one inference at a time, {} on each target", args.models.front(),
              extent_text(args));
  print_inputs(output, describe(subjects.front()));
  print_table(output, subjects, found);
  for (std::size_t i = 0; i < subjects.size(); ++i) {
    output.json()["results"].push_back(result_json(subjects[i], found[i]));
    print_details(output, args, subjects[i], found[i]);
  }
  report_memory(output, memory);
  for (std::size_t i = 0; i < subjects.size(); ++i) {
    print_brief(output, args, describe(subjects[i]),
                fmt::format("{} inferences_per_s={:.2f}", brief(found[i].whole()), found[i].runs_per_s()));
  }
  return {};
}

}  // namespace tarmac::cli

#include <algorithm>

#include "cli/bench/mode_common.h"
#include "cli/bench/modes.h"

namespace tarmac::cli {
namespace {

/// One number of streams with one batch size on one target. The session is gone when the next one is
/// measured.
struct Cell {
  Json description;
  std::int64_t samples = 0;  ///< a run; 0 where that is not known
  double runs_per_s = 0;
  Timing timing;

  /// Samples a second where the batch is known, else runs.
  [[nodiscard]] double speed() const {
    return runs_per_s * static_cast<double>(std::max<std::int64_t>(1, samples));
  }
};

Json result_json(const Cell& cell, bool best) {
  Json json = cell.description;
  json["latency_ns"] = to_json(std::optional(cell.timing));
  json["inferences_per_s"] = cell.runs_per_s;
  json["samples_per_s"] = cell.samples > 0 ? Json(cell.speed()) : Json();
  json["best"] = best;
  return json;
}

Status measure_cells(const BenchArgs& args, const std::string& target, int streams, Run& run,
                     std::vector<Cell>& cells) {
  const std::vector<std::int64_t> batches =
      args.batches.empty() ? std::vector<std::int64_t>{0} : args.batches;
  TARMAC_TRY(const Subject opened,
             open_subject(args, {args.models.front(), target, streams, batches.front()}, run));
  for (const std::int64_t batch : batches) {
    TARMAC_TRY(Subject subject, with_batch(opened, args, batch));
    TARMAC_CHECK_OK(warm_up(subject, args, run));
    TARMAC_TRY(const Throughput throughput,
               measure_throughput(subject.all_works(), args.measured(), run.progress));
    Cell& cell = cells.emplace_back();
    cell.description = describe(subject);
    cell.samples = subject.source->samples();
    cell.runs_per_s = throughput.runs_per_second();
    TARMAC_TRY(cell.timing, timing_of(throughput.latency_ns));
    // Times come stream by stream, so their halves are no earlier and later runs.
    if (streams > 1) cell.timing.drift = 0;
  }
  return {};
}

void print_notes(Output& output, const std::vector<Cell>& cells) {
  std::vector<std::string> notes;
  for (const Cell& cell : cells) {
    for (const Json& note : cell.description["notes"]) {
      if (std::find(notes.begin(), notes.end(), note) == notes.end()) notes.push_back(note);
    }
  }
  for (const std::string& note : notes) output.line("Note: {}", note);
}

}  // namespace

Status bench_throughput(const BenchArgs& args, Run& run) {
  const std::vector<int> streams = args.streams.empty() ? std::vector<int>{1} : args.streams;
  const std::size_t batches = std::max<std::size_t>(1, args.batches.size());
  std::vector<Cell> cells;
  start_timed(run, "measure", args, args.targets().size() * streams.size() * batches, 0);
  for (const std::string& target : args.targets()) {
    for (const int count : streams) TARMAC_CHECK_OK(measure_cells(args, target, count, run, cells));
  }
  run.progress.finish();

  Output& output = run.output;
  output.line("{}: throughput, {} each", args.models.front(), extent_text(args));
  print_inputs(output, cells.front().description);
  Table table({{"target"},
               {"streams", Table::Align::kRight},
               {"batch", Table::Align::kRight},
               {"inferences/s", Table::Align::kRight},
               {"samples/s", Table::Align::kRight},
               {"p50", Table::Align::kRight},
               {"p99", Table::Align::kRight},
               {""}});
  const auto best = std::max_element(cells.begin(), cells.end(),
                                     [](const Cell& a, const Cell& b) { return a.speed() < b.speed(); });
  for (auto cell = cells.begin(); cell != cells.end(); ++cell) {
    const Json& json = output.json()["results"].emplace_back(result_json(*cell, cell == best));
    table.add({json["target"], json["streams"].dump(),
               cell->samples > 0 ? std::to_string(cell->samples) : "-",
               fmt::format("{:.1f}", cell->runs_per_s),
               cell->samples > 0 ? fmt::format("{:.1f}", cell->speed()) : "",
               time_text(cell->timing.summary.p50_ns), time_text(cell->timing.summary.p99_ns),
               cell == best ? "best" : ""});
  }
  table.print(output);
  print_notes(output, cells);
  report_memory(output);
  for (const Cell& cell : cells) {
    print_brief(output, args, cell.description,
                fmt::format("{} inferences_per_s={:.2f}", brief(cell.timing), cell.runs_per_s));
  }
  return {};
}

}  // namespace tarmac::cli

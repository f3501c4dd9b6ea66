#include "cli/bench/load_report.h"
#include "cli/bench/mode_common.h"
#include "cli/bench/modes.h"

namespace tarmac::cli {
namespace {

double deadline_s(const BenchArgs& args, double rate_hz) {
  return args.deadline_ms > 0 ? args.deadline_ms / 1e3 : 1 / rate_hz;
}

/// One target at one rate.
struct Row {
  Json json;
  double rate_hz = 0;
  LoadReport report;
};

Status measure_rates(const BenchArgs& args, const std::string& target, Run& run, std::vector<Row>& rows) {
  const Setup setup{args.models.front(), target, args.stream_count(), args.batch()};
  TARMAC_TRY(Subject subject, open_subject(args, setup, run));
  TARMAC_CHECK_OK(warm_up(subject, args, run));
  for (const double rate_hz : args.rates_hz) {
    const Load load{subject.all_works(), rate_hz, deadline_s(args, rate_hz)};
    MeasureOptions options = args.measured();
    TARMAC_TRY(auto times, measure_loads(std::span(&load, 1), options, run.progress));
    Row& row = rows.emplace_back();
    row.rate_hz = rate_hz;
    TARMAC_TRY(row.report, report_of(std::move(times.front())));
    row.json = describe(subject);
    row.json["rate_hz"] = rate_hz;
    row.json["deadline_ns"] = static_cast<std::int64_t>(load.deadline_s * 1e9);
    row.json.update(to_json(row.report, true));
  }
  return {};
}

}  // namespace

Status bench_rates(const BenchArgs& args, Run& run) {
  std::vector<Row> rows;
  double seconds = 0;
  for (const double rate_hz : args.rates_hz)
    seconds += args.iterations > 0 ? static_cast<double>(args.iterations) / rate_hz : args.duration_s;
  run.progress.start("measure (ms)",
                     static_cast<std::uint64_t>(1000 * seconds * static_cast<double>(args.targets().size())));
  for (const std::string& target : args.targets()) TARMAC_CHECK_OK(measure_rates(args, target, run, rows));
  run.progress.finish();

  Output& output = run.output;
  output.line("{}: frames at a fixed rate, {} each; a frame that a newer one overtakes is dropped",
              args.models.front(), extent_text(args));
  print_inputs(output, rows.front().json);
  Table table({{"target"},
               {"rate", Table::Align::kRight},
               {"deadline", Table::Align::kRight},
               {"frames", Table::Align::kRight},
               {"late", Table::Align::kRight},
               {"dropped", Table::Align::kRight},
               {"missed"},
               {"p50", Table::Align::kRight},
               {"p99", Table::Align::kRight},
               {"max", Table::Align::kRight},
               {"start p50", Table::Align::kRight},
               {"start p99", Table::Align::kRight},
               {"run p50", Table::Align::kRight}});
  for (const Row& row : rows) {
    const LoadTimes& times = row.report.times;
    table.add({row.json["target"], fmt::format("{:g} Hz", row.rate_hz),
               time_text(row.json["deadline_ns"].get<std::int64_t>()), format_count(times.due),
               format_count(times.late), format_count(times.dropped), missed_text(times),
               p50_text(row.report.result), p99_text(row.report.result),
               row.report.result ? time_text(row.report.result->summary.max_ns) : "-",
               p50_text(row.report.start_delay), p99_text(row.report.start_delay), p50_text(row.report.run)});
  }
  table.print(output);
  output.line(
      "  p50, p99, max: from when a frame is due to its result; start: from due to the begin of its run");
  for (const Json& note : rows.front().json["notes"]) output.line("Note: {}", note.get<std::string>());
  report_memory(output);
  for (Row& row : rows) {
    const LoadTimes& times = row.report.times;
    print_brief(
        output, args, row.json,
        fmt::format("rate_hz={:g} due={} late={} dropped={} missed={} {}", row.rate_hz, times.due, times.late,
                    times.dropped, times.missed(), row.report.result ? brief(*row.report.result) : ""));
    output.json()["results"].push_back(std::move(row.json));
  }
  return {};
}

}  // namespace tarmac::cli

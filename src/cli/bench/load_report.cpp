#include "cli/bench/load_report.h"

namespace tarmac::cli {
namespace {

Status summarize(const std::vector<std::int64_t>& times_ns, std::optional<Timing>& timing) {
  if (times_ns.empty()) return {};
  TARMAC_TRY(timing, timing_of(times_ns));
  return {};
}

}  // namespace

Result<LoadReport> report_of(LoadTimes times) {
  LoadReport report;
  report.times = std::move(times);
  TARMAC_CHECK_OK(summarize(report.times.run_ns, report.run));
  TARMAC_CHECK_OK(summarize(report.times.start_delay_ns, report.start_delay));
  TARMAC_CHECK_OK(summarize(report.times.latency_ns, report.result));
  if (!report.result) report.result = report.run;
  return report;
}

Json to_json(const LoadReport& report, bool with_rate) {
  const LoadTimes& times = report.times;
  Json json = Json::object();
  json["frames"] = with_rate ? Json({{"due", times.due},
                                     {"done", times.done()},
                                     {"late", times.late},
                                     {"dropped", times.dropped},
                                     {"missed", times.missed()}})
                             : Json();
  json["latency_ns"] = to_json(report.result);
  json["start_delay_ns"] = to_json(report.start_delay);
  json["run_ns"] = to_json(report.run);
  json["inferences_per_s"] = times.seconds > 0 ? times.runs_per_second() : 0.0;
  return json;
}

std::string missed_text(const LoadTimes& times) {
  if (times.missed() == 0) return "none";
  return fmt::format("{} of {} ({:.1f} %)", format_count(times.missed()), format_count(times.due),
                     100 * static_cast<double>(times.missed()) / static_cast<double>(times.due));
}

std::string p50_text(const std::optional<Timing>& timing) {
  return timing ? time_text(timing->summary.p50_ns) : "-";
}

std::string p99_text(const std::optional<Timing>& timing) {
  return timing ? time_text(timing->summary.p99_ns) : "-";
}

}  // namespace tarmac::cli

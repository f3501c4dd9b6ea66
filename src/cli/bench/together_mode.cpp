#include "cli/bench/load_report.h"
#include "cli/bench/mode_common.h"
#include "cli/bench/modes.h"

namespace tarmac::cli {
namespace {

struct Member {
  Subject subject;
  double rate_hz = 0;  ///< 0: without pause
  LoadReport alone;
  LoadReport together;
};

Load load_of(const BenchArgs& args, const Member& member) {
  Load load{member.subject.all_works(), member.rate_hz, 0};
  if (member.rate_hz > 0)
    load.deadline_s = args.deadline_ms > 0 ? args.deadline_ms / 1e3 : 1 / member.rate_hz;
  return load;
}

Status measure(const BenchArgs& args, std::vector<Member>& members, Run& run) {
  start_timed(run, "measure", args, members.size() + 1, 0);
  std::vector<Load> loads;
  for (Member& member : members) {
    loads.push_back(load_of(args, member));
    TARMAC_TRY(auto alone, measure_loads(std::span(&loads.back(), 1), args.measured(), run.progress));
    TARMAC_TRY(member.alone, report_of(std::move(alone.front())));
  }
  TARMAC_TRY(auto together, measure_loads(loads, args.measured(), run.progress));
  for (std::size_t i = 0; i < members.size(); ++i) {
    TARMAC_TRY(members[i].together, report_of(std::move(together[i])));
  }
  run.progress.finish();
  return {};
}

/// A percentile together by the same alone; absent where nothing was done in time to tell.
std::optional<double> ratio(const Member& member, std::int64_t LatencySummary::*percentile) {
  if (!member.alone.result || !member.together.result) return std::nullopt;
  const auto alone = static_cast<double>(member.alone.result->summary.*percentile);
  if (alone <= 0) return std::nullopt;
  return static_cast<double>(member.together.result->summary.*percentile) / alone;
}

Json result_json(const BenchArgs& args, const Member& member) {
  const auto or_null = [](std::optional<double> value) { return value ? Json(*value) : Json(); };
  const bool with_rate = member.rate_hz > 0;
  Json json = describe(member.subject);
  json["rate_hz"] = with_rate ? Json(member.rate_hz) : Json();
  json["deadline_ns"] =
      with_rate ? Json(static_cast<std::int64_t>(load_of(args, member).deadline_s * 1e9)) : Json();
  json["alone"] = to_json(member.alone, with_rate);
  json["together"] = to_json(member.together, with_rate);
  json["p50_ratio"] = or_null(ratio(member, &LatencySummary::p50_ns));
  json["p99_ratio"] = or_null(ratio(member, &LatencySummary::p99_ns));
  return json;
}

}  // namespace

Status bench_together(const BenchArgs& args, Run& run) {
  std::vector<Member> members(args.models.size());
  for (std::size_t i = 0; i < members.size(); ++i) {
    members[i].rate_hz = args.rates_hz[i];
    run.progress.start("open " + args.models[i], 0);
    TARMAC_TRY(
        members[i].subject,
        open_subject(args, {args.models[i], args.target.name(), args.stream_count(), args.batch()}, run));
    TARMAC_CHECK_OK(warm_up(members[i].subject, args, run));
  }
  TARMAC_CHECK_OK(measure(args, members, run));

  Output& output = run.output;
  output.line("{} models in one process, {} each alone, then {} all at once", members.size(),
              extent_text(args), extent_text(args));
  Table table({{"model"},
               {"target"},
               {"rate", Table::Align::kRight},
               {"p50 alone", Table::Align::kRight},
               {"together", Table::Align::kRight},
               {"ratio", Table::Align::kRight},
               {"p99 alone", Table::Align::kRight},
               {"together", Table::Align::kRight},
               {"ratio", Table::Align::kRight},
               {"inferences/s alone", Table::Align::kRight},
               {"together", Table::Align::kRight},
               {"missed alone"},
               {"together"}});
  const auto ratio_text = [](std::optional<double> value) {
    return value ? fmt::format("{:.2f}", *value) : "-";
  };
  for (const Member& member : members) {
    const bool with_rate = member.rate_hz > 0;
    const Json& json = output.json()["results"].emplace_back(result_json(args, member));
    table.add({json["model"], json["target"], with_rate ? fmt::format("{:g} Hz", member.rate_hz) : "max",
               p50_text(member.alone.result), p50_text(member.together.result),
               ratio_text(ratio(member, &LatencySummary::p50_ns)), p99_text(member.alone.result),
               p99_text(member.together.result), ratio_text(ratio(member, &LatencySummary::p99_ns)),
               fmt::format("{:.1f}", json["alone"]["inferences_per_s"].get<double>()),
               fmt::format("{:.1f}", json["together"]["inferences_per_s"].get<double>()),
               with_rate ? missed_text(member.alone.times) : "-",
               with_rate ? missed_text(member.together.times) : "-"});
  }
  table.print(output);
  output.line("  with a rate times count from when a frame is due, else from the begin of its run");
  report_memory(output);
  for (const Member& member : members) {
    print_brief(output, args, describe(member.subject),
                fmt::format("rate_hz={} p50_ratio={} p99_ratio={} missed_alone={} missed_together={} {}",
                            member.rate_hz > 0 ? fmt::format("{:g}", member.rate_hz) : "max",
                            ratio_text(ratio(member, &LatencySummary::p50_ns)),
                            ratio_text(ratio(member, &LatencySummary::p99_ns)), member.alone.times.missed(),
                            member.together.times.missed(),
                            member.together.result ? brief(*member.together.result) : ""));
  }
  return {};
}

}  // namespace tarmac::cli

#include "cli/verify_optimized.h"

#include <algorithm>

#include "cli/args/shape_args.h"
#include "cli/compare.h"
#include "cli/optimize_model.h"
#include "deploy/optimize_model.h"
#include "report/model_json.h"
#include "verify/corners.h"
#include "verify/equivalence.h"
#include "verify/find_culprit.h"

namespace tarmac::cli {
namespace {

constexpr std::int64_t kDefaultSamples = 16;

std::string verdict(const ComparedOutput& output) {
  if (!output.passed) return "DIFFERS";
  if (output.random) return "random";
  return output.only_nan ? "only NaN" : "same";
}

void print(Output& output, const EquivalenceReport& report) {
  output.line("Compared with the original on {}, its own rewriting off", report.engine);
  Table table({{"shapes"},
               {"data"},
               {"runs", Table::Align::kRight},
               {"output"},
               {"max error / range", Table::Align::kRight},
               {"allowed", Table::Align::kRight},
               {"result"}});
  for (const ComparedCorner& corner : report.corners) {
    const std::string shapes = corner.shapes.empty() ? "fixed" : corner.shapes;
    if (corner.runs == 0) {
      table.add({shapes, corner.data, "0", "", "", "", "not compared"});
      continue;
    }
    for (const ComparedOutput& compared : corner.outputs) {
      table.add(
          {shapes, corner.data, std::to_string(corner.runs), compared.output,
           fmt::format("{:.3g} %", 100 * compared.metrics.max_rel),
           is_floating_point(compared.dtype) ? fmt::format("{:g} %", 100 * compared.limit) : "1 in 1000",
           verdict(compared)});
    }
  }
  table.print(output);
  for (const ComparedCorner& corner : report.corners) {
    if (corner.runs == 0) output.line("  {} not compared: {}", corner.shapes, corner.not_run);
  }
  if (report.corners_left_out > 0)
    output.line("  {} further combinations of sizes were left out (at most {} are run)",
                report.corners_left_out, kMaxCorners);
}

}  // namespace

void VerifyOptimizedArgs::add(CLI::App& command) {
  data.add(command, "With --verify and --precision: real samples (default: made-up ones)");
  command
      .add_option("--profile", profiles,
                  "With --verify: range of shapes to compare at, MIN,OPT,MAX; several inputs separated by "
                  "';', several "
                  "profiles by repeating it (default: the contract's)")
      ->type_name("NAME:MIN,OPT,MAX")
      ->allow_extra_args(false)
      ->group("Data");
}

Status VerifyOptimizedArgs::check(bool verify, bool data_is_taken) const {
  if (!verify && ((data.given() && !data_is_taken) || !profiles.empty()))
    return make_error(
        ErrorCode::kUsage,
        "--data, --contract and --profile say what to compare on; add --verify, or --precision fp16 or "
        "bf16 for the data");
  for (const std::string& text : profiles) {
    if (const auto profile = parse_profile(text); !profile) return profile.error();
  }
  return {};
}

Status verify_optimized(const OptimizedModels& models, const OptimizeOptions& options,
                        const std::vector<Target*>& targets, const VerifyOptimizedArgs& args, Run& run) {
  EquivalenceOptions comparing;
  for (const std::string& text : args.profiles) {
    TARMAC_TRY(comparing.profiles.emplace_back(), parse_profile(text));
  }
  std::unique_ptr<OpenData> data;
  if (args.data.given()) {
    TARMAC_TRY(data, OpenData::open(args.data, models.original));
    if (comparing.profiles.empty() && !data->contract().profiles.empty())
      comparing.profiles.push_back(data->contract().profiles);
    const auto limit = static_cast<std::size_t>(args.data.samples > 0 ? args.data.samples : kDefaultSamples);
    comparing.data = [&data, limit](std::size_t batch) { return data->batches(batch, limit); };
    comparing.data_name = data->path();
    comparing.data_batches.clear();
    // A contract with a fixed batch size feeds that one.
    for (const std::size_t batch : batches_to_compare(models.optimized)) {
      const std::size_t size = data->effective_batch(batch);
      if (comparing.data_batches.empty() || comparing.data_batches.back() != size)
        comparing.data_batches.push_back(size);
    }
  }
  TARMAC_TRY(const EquivalenceReport report,
             compare_models(models.original, models.optimized, comparing, run.progress));
  print(run.output, report);
  run.output.json()["verify"] = to_json(report);
  if (!report.difference) return {};
  const EngineOptions engine(options, targets);
  TARMAC_TRY(const Culprit culprit,
             find_culprit(models.before, engine.options(), *report.difference, run.progress));
  run.output.json()["verify"]["culprit"] = to_json(culprit);
  return to_error(*report.difference, culprit);
}

}  // namespace tarmac::cli

#include <array>
#include <memory>

#include "base/file.h"
#include "cli/args/calibration_args.h"
#include "cli/args/model_args.h"
#include "cli/args/output_args.h"
#include "cli/calibrate_model.h"
#include "cli/commands/commands.h"
#include "cli/optimize_model.h"
#include "graph/model_io.h"
#include "precision/quantize.h"

namespace tarmac::cli {
namespace {

constexpr std::uint64_t kMostCacheBytes = 256U << 20U;

struct CalibrationCommandArgs {
  std::string action;
  std::vector<std::string> files;
  std::string output;
  std::string model;
  CalibrationArgs calibration;
};

Status merge_files(const CalibrationCommandArgs& args, Run& run) {
  std::vector<CalibrationRecord> records;
  for (const std::string& file : args.files) {
    TARMAC_TRY(records.emplace_back(), read_calibration(file));
  }
  TARMAC_TRY(const CalibrationRecord merged, merge(records));
  TARMAC_CHECK_OK(write_calibration(args.output, merged));
  run.output.json()["samples"] = merged.samples;
  run.output.json()["complete"] = merged.complete();
  run.output.line("{} of {} shards, {} samples, written to {}", merged.shards.size(), merged.shard_count,
                  format_count(static_cast<std::int64_t>(merged.samples)), args.output);
  return {};
}

Status export_file(const CalibrationCommandArgs& args, Run& run) {
  TARMAC_TRY(const CalibrationRecord record, read_calibration(args.files.front()));
  const ClippingOptions clipping = args.calibration.clipping();
  CalibrationNeeds needs{record.model_digest, record.data_digest,      record.preprocessing_digest,
                         clipping.method,     ObserverOptions().decay, {}};
  if (auto fits = check_fit(record, needs); !fits)
    return make_error(fits.error().code, fits.error().message, {}, args.files.front());
  TARMAC_TRY(const std::string text,
             to_tensorrt_cache(ranges_of(record.statistics, clipping), clipping.method));
  TARMAC_CHECK_OK(write_file(args.output, text));
  run.output.line("{} scales by {} written to {} as TensorRT's calibration cache", record.statistics.size(),
                  args.calibration.method, args.output);
  return {};
}

Status import_file(const CalibrationCommandArgs& args, Run& run) {
  if (args.model.empty()) {
    return make_error(ErrorCode::kUsage,
                      "import needs --model MODEL: the calibration file belongs to one model");
  }
  TARMAC_TRY(const std::string text, read_file(args.files.front(), kMostCacheBytes));
  auto ranges = ranges_from_tensorrt_cache(text);
  if (!ranges) return make_error(ranges.error().code, ranges.error().message, {}, args.files.front());
  TARMAC_TRY(Model model, load_onnx_model(args.model));
  TARMAC_TRY(const OptimizeReport optimized, optimize_model(model, {}, {}, run.progress));
  CalibrationRecord record;
  TARMAC_TRY(record.model_digest, model_digest(model));
  const auto digest = to_hex(sha256(std::as_bytes(std::span(text))));
  record.data_digest = digest;
  record.preprocessing_digest = digest;
  const FusionGroups groups = find_fusion_groups(model, common_fusion_rules(all_targets()));
  std::vector<std::string> missing;
  for (const std::string& value : observed_values(model, groups)) {
    const auto found = ranges->find(value);
    if (found == ranges->end()) {
      missing.push_back(value);
    } else {
      record.statistics[value].extremes = found->second;
    }
  }
  if (!missing.empty()) {
    return make_error(ErrorCode::kInvalidInput,
                      "the cache says nothing of " + std::to_string(missing.size()) +
                          " values that the model needs, the first '" + missing.front() +
                          "'; TensorRT names tensors of fused layers otherwise",
                      missing.front(), args.files.front());
  }
  TARMAC_CHECK_OK(write_calibration(args.output, record));
  run.output.line("{} ranges written to {}; use it with quantize --mode static --cache {}",
                  record.statistics.size(), args.output, args.output);
  return {};
}

Status calibration(const CalibrationCommandArgs& args, Run& run) {
  TARMAC_CHECK_OK(check_output_file(args.output));
  run.output.json()["output"] = args.output;
  if (args.action == "merge") return merge_files(args, run);
  if (args.files.size() != 1) return make_error(ErrorCode::kUsage, args.action + " takes one file");
  return args.action == "export" ? export_file(args, run) : import_file(args, run);
}

}  // namespace

void add_calibration(Commands& commands) {
  const auto args = std::make_shared<CalibrationCommandArgs>();
  CLI::App& command =
      commands.add("calibration", "Join calibration files of shards; exchange them with TensorRT",
                   {"tarmac calibration merge shard-1.json shard-2.json -o calibration.json",
                    "tarmac calibration export calibration.json --method entropy -o tensorrt.cache",
                    "tarmac calibration import tensorrt.cache --model model.onnx -o calibration.json"},
                   [args](Run& run) { return calibration(*args, run); });
  command.add_option("action", args->action, "What to do")
      ->type_name("merge|export|import")
      ->check([](const std::string& word) {
        constexpr std::array kActions = {"merge", "export", "import"};
        const bool known = std::find(kActions.begin(), kActions.end(), word) != kActions.end();
        return known ? "" : "expected merge, export or import, found '" + word + "'";
      })
      ->required();
  command.add_option("files", args->files, "Calibration files; for import TensorRT's cache")
      ->type_name("FILE")
      ->required();
  command.add_option("-o,--output", args->output, "File for the result")->type_name("FILE")->required();
  command.add_option("--model", args->model, "import: the model that the cache is of")->type_name("MODEL");
  args->calibration.add_clipping(command);
}

}  // namespace tarmac::cli

#include "cli/calibrate_model.h"

#include <cassert>
#include <filesystem>

#include "base/file.h"
#include "base/log.h"
#include "contract/describe.h"
#include "graph/model_io.h"
#include "precision/calibrate_dataset.h"

namespace tarmac::cli {
namespace {

constexpr std::uint64_t kMostFileBytes = std::uint64_t{1} << 30U;

/// Of what is done to the data on its way into the model: preprocessing, and what is carried between frames.
Result<std::string> preprocessing_digest(const OpenData* data) {
  std::string text;
  if (data != nullptr) {
    for (const InputSpec& input : data->contract().inputs)
      text += input.is_picture() ? describe_preprocess(input) : "";
    if (data->contract().sequence) {
      for (const StateSpec& state : data->contract().sequence->state) {
        text += "\nstate " + state.output + " > " + state.input;
        if (state.first.empty()) continue;
        TARMAC_TRY(const Sha256Digest first, sha256_file(state.first));
        text += " from " + to_hex(first);
      }
    }
  }
  return to_hex(sha256(std::as_bytes(std::span(text))));
}

/// What people should know of the data and what was seen, in the log and the JSON.
void warn(const CalibrationJob& job, const DatasetCalibration& done, const std::vector<std::string>& missing,
          Run& run) {
  Json& json = run.output.json()["calibration"];
  json["unreadable"] = Json::array();
  for (const Error& error : done.unreadable) {
    log(LogLevel::kWarning, "left out: " + error.str());
    json["unreadable"].push_back(error.context);
  }
  json["missing_classes"] = missing;
  for (const std::string& label : missing) {
    log(LogLevel::kWarning, job.data->path() + " has no sample of the class '" + label +
                                "': what the model does with it is not in the ranges; add some");
  }
  const std::vector<std::string> constant = constant_values(done.found.statistics);
  json["constant_values"] = constant;
  for (const std::string& name : constant) {
    log(LogLevel::kWarning, "'" + name +
                                "' was the same number in all samples: its range says nothing of other data; "
                                "check the preprocessing, or whether the model uses this branch");
  }
}

Result<CalibrationRecord> observe(const CalibrationJob& job, CalibrationRecord record, const Shard& shard,
                                  Run& run) {
  TARMAC_CHECK_OK(job.data->check_no_evaluation_data(run.progress));
  const auto missing = missing_labels(job.data->contract(), job.data->dataset());
  if (!shard.whole()) job.data->keep_shard(shard.index, shard.count);
  if (job.data->samples() == 0) {
    return make_error(ErrorCode::kInvalidInput,
                      "shard " + job.args.shard + " holds no sample; take fewer shards");
  }
  CalibrateOptions options;
  options.compile = job.options;
  // A file serves every method; without one, what the method needs will do.
  options.observe.histograms = !job.args.cache.empty() || needs_histogram(job.args.clipping().method);
  TARMAC_TRY(DatasetCalibration done,
             calibrate_dataset(job.model, job.values, job.target, options, job.data->contract(),
                               job.data->dataset(), job.args.batch, run.progress));
  warn(job, done, missing, run);
  Calibration& found = done.found;
  record.samples = found.samples;
  record.shard_count = shard.count;
  record.shards = {shard.index};
  record.histograms = options.observe.histograms;
  record.decay = options.observe.decay;
  record.statistics = std::move(found.statistics);
  run.output.line("Calibrated on {} samples of {} with {} in {}: {} values",
                  format_count(static_cast<std::int64_t>(record.samples)), job.data->path(),
                  job.target.name(), format_time(static_cast<double>(found.time_ns)),
                  record.statistics.size());
  run.output.json()["calibration"]["time_ns"] = found.time_ns;
  return record;
}

}  // namespace

Result<CalibrationRecord> read_calibration(const std::string& path) {
  TARMAC_TRY(const std::string text, read_file(path, kMostFileBytes));
  auto record = calibration_from_text(text);
  if (!record) return make_error(record.error().code, record.error().message, {}, path);
  return record;
}

Status write_calibration(const std::string& path, const CalibrationRecord& record) {
  return write_file(path, to_text(record));
}

Result<CalibrationRecord> calibrate_model(const CalibrationJob& job, Run& run) {
  TARMAC_TRY(const Shard shard, job.args.parsed_shard());
  const std::string& cache = job.args.cache;
  std::error_code ignored;
  const bool is_there = !cache.empty() && std::filesystem::exists(cache, ignored);
  CalibrationRecord record;
  TARMAC_TRY(record.model_digest, model_digest(job.model));
  TARMAC_TRY(record.preprocessing_digest, preprocessing_digest(job.data));
  if (!cache.empty() && job.data != nullptr) {
    run.progress.start("hash the data", job.data->samples());
    TARMAC_TRY(record.data_digest, job.data->digest(run.progress));
    run.progress.finish();
  }
  assert(job.data != nullptr || is_there);
  Json& json = run.output.json()["calibration"];
  json = {{"method", job.args.method}, {"target", job.target.name()}, {"cache", cache}, {"reused", is_there}};
  if (job.data != nullptr) json["data"] = job.data->path();
  if (is_there && shard.whole()) {
    TARMAC_TRY(CalibrationRecord found, read_calibration(cache));
    CalibrationNeeds needs{record.model_digest,        record.data_digest,      record.preprocessing_digest,
                           job.args.clipping().method, ObserverOptions().decay, job.values};
    if (job.data == nullptr) {  // what the file says of its data is all there is
      needs.data_digest = found.data_digest;
      needs.preprocessing_digest = found.preprocessing_digest;
    }
    if (auto fits = check_fit(found, needs); !fits) {
      const bool other_model = found.model_digest != record.model_digest;
      return make_error(
          fits.error().code,
          fits.error().message +
              (other_model ? "; a model is calibrated after its channels were equalised by the data: "
                             "give the same --data and options, or calibrate with --no-equalize"
                           : ""),
          {}, cache);
    }
    run.output.line("Calibration taken from {}: {} samples, {} values", cache,
                    format_count(static_cast<std::int64_t>(found.samples)), found.statistics.size());
    json["samples"] = found.samples;
    return found;
  }
  TARMAC_TRY(record, observe(job, std::move(record), shard, run));
  json["samples"] = record.samples;
  if (!cache.empty()) {
    TARMAC_CHECK_OK(write_calibration(cache, record));
    run.output.line("Calibration written to {}", cache);
  }
  return record;
}

}  // namespace tarmac::cli

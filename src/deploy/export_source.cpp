#include "deploy/export_source.h"

#include <fmt/format.h>

#include "base/child_process.h"
#include "base/file.h"
#include "base/log.h"
#include "deploy/export_command.h"
#include "deploy/export_report.h"
#include "deploy/plan_cache.h"
#include "deploy/work_folder.h"
#include "graph/model_io.h"
#include "plan/bounded_json.h"

namespace tarmac {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::uint64_t kMostReportBytes = std::uint64_t{16} << 20U;

/// Says which source an error is about.
Error about(const Contract& contract, Error error) {
  error.context = contract.file.string() + ": model." + to_string(contract.source->format) +
                  (error.context.empty() ? "" : " (" + error.context + ")");
  return error;
}

/// What was exported before, by the digest of all that it was made from.
class Record {
 public:
  explicit Record(const fs::path& onnx)
      : onnx_(onnx), path_(fs::path(onnx).replace_extension(".export.json")) {}

  /// The model there, when it has this key and nobody changed it since.
  [[nodiscard]] std::optional<ExportedModel> find(const std::string& key) const {
    const auto text = read_file(path_, kMostReportBytes);
    const auto json = text ? parse_json(*text) : std::nullopt;
    if (!json || !json->is_object() || json->value("key", Json()) != key) return std::nullopt;
    auto facts = read_export_report(json->value("report", Json()).dump());
    const auto model = load_model(onnx_);
    const auto digest = model ? model_digest(*model) : Result<std::string>(model.error());
    if (!facts || !digest || json->value("model_sha256", Json()) != *digest) return std::nullopt;
    return ExportedModel{onnx_, *std::move(facts), *digest};
  }

  /// So that a failure leaves no model of another source; a file without a record is somebody else's.
  void forget() const {
    std::error_code ignored;
    if (fs::remove(path_, ignored)) fs::remove(onnx_, ignored);
  }

  [[nodiscard]] Status keep(const std::string& key, const std::string& digest,
                            const std::string& report) const {
    return write_file(
        path_,
        Json{{"key", key}, {"model_sha256", digest}, {"report", Json::parse(report, nullptr, false)}}.dump(
            1, ' ', false, Json::error_handler_t::replace));
  }

 private:
  fs::path onnx_;
  fs::path path_;
};

/// The exporter's report, as it is.
Result<std::string> run_exporter(const Contract& contract, const ExportPython& python, const fs::path& output,
                                 const fs::path& work, Progress& progress) {
  const ModelSource& source = *contract.source;
  std::string answer;
  ChildJob job;
  job.program = python.program;
  job.arguments = {"-m", "tarmac.export"};
  for (std::string& word : export_arguments(source)) job.arguments.push_back(std::move(word));
  job.arguments.insert(job.arguments.end(), {"-o", fs::absolute(output).string()});
  job.environment = python.environment;
  // Python imports from where it works: files that lie beside a model are not modules.
  job.folder = source.module.empty() ? work : fs::absolute(contract.file).parent_path();
  job.lines_from = 1;
  job.on_line = [&](std::string_view line) { answer.append(line).append("\n"); };
  job.on_error_line = [](std::string_view line) { log(LogLevel::kInfo, "export: " + std::string(line)); };
  job.tick = [&] { progress.advance(0); };
  job.output_limit_bytes = kMostReportBytes;
  job.limit_s = source.limit_s;
  TARMAC_TRY(const ChildEnd end, run_child(job, progress));
  if (end.killed == ChildEnd::Killed::kTooLong) {
    return make_error(ErrorCode::kResourceExhausted,
                      fmt::format("the exporter took longer than {:g} s and was ended; give it more with "
                                  "model.time_limit",
                                  source.limit_s));
  }
  if (end.signal != 0 || end.killed != ChildEnd::Killed::kNo)
    return make_error(
        ErrorCode::kInternal,
        "the exporter " + end.str() + (end.last_words.empty() ? "" : "; its last words: " + end.last_words));
  if (end.exit_status != 0) return export_failure(end.exit_status, answer, end.last_words);
  return answer;
}

Result<ExportedModel> export_anew(const Contract& contract, const ExportPython& python,
                                  const std::string& key, const fs::path& output, const fs::path& work,
                                  Progress& progress) {
  const Record record(output);
  record.forget();
  TARMAC_TRY(const std::string answer, run_exporter(contract, python, output, work, progress));
  ExportedModel exported{output, {}, {}};
  TARMAC_TRY(exported.facts, read_export_report(answer));
  TARMAC_TRY(const Model model, load_model(output));
  TARMAC_TRY(exported.model_digest, model_digest(model));
  if (!key.empty()) TARMAC_CHECK_OK(record.keep(key, exported.model_digest, answer));
  return exported;
}

Result<ExportedModel> make_or_find(const Contract& contract, const fs::path& folder, const fs::path& program,
                                   Progress& progress) {
  const ModelSource& source = *contract.source;
  const fs::path output = folder / (contract.name + ".onnx");
  TARMAC_TRY(const WorkFolder work, WorkFolder::create(folder));
  TARMAC_TRY(const ExportPython python,
             find_export_python(source, program, fs::absolute(work.path()), progress));
  TARMAC_TRY(const std::string files, source_digest(source, contract.file.parent_path()));
  std::string key;
  if (files.empty()) {
    log(LogLevel::kInfo, "the model is exported each time: what " + source.written +
                             " is made from is not known; name it in model.depends");
  } else {
    key = plan_key({{"source", files},
                    {"options", fmt::format("{}", fmt::join(export_arguments(source), "\n"))},
                    {"python", python.fingerprint}});
  }
  std::optional<ExportedModel> exported;
  if (!key.empty()) exported = Record(output).find(key);
  if (exported) {
    exported->facts.reused = true;
    log(LogLevel::kInfo, "nothing has changed since " + output.string() + " was exported; it is used again");
  } else {
    log(LogLevel::kInfo, "exporting " + source.written + " with " + python.program);
    TARMAC_TRY(exported, export_anew(contract, python, key, output, work.path(), progress));
  }
  exported->facts.format = to_string(source.format);
  exported->facts.source = source.written;
  exported->facts.source_sha256 = files;
  return *std::move(exported);
}

}  // namespace

Result<ExportedModel> export_source(const Contract& contract, const fs::path& folder, const fs::path& program,
                                    Progress& progress) {
  progress.start("export from " + std::string(to_string(contract.source->format)), 0);
  auto exported = make_or_find(contract, folder, program, progress);
  progress.finish();
  if (!exported) return about(contract, std::move(exported).error());
  return exported;
}

}  // namespace tarmac

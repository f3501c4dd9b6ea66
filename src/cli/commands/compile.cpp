#include <chrono>
#include <memory>

#include "base/child_process.h"
#include "base/log.h"
#include "base/sha256.h"
#include "cli/args/model_args.h"
#include "cli/args/output_args.h"
#include "cli/commands/commands.h"
#include "cli/compile_args.h"
#include "cli/compile_output.h"
#include "cli/compile_worker.h"
#include "cli/worker_channel.h"
#include "deploy/plan_cache.h"
#include "deploy/work_folder.h"
#include "graph/model_io.h"
#include "runtime/open_model.h"

namespace tarmac::cli {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// The cache, or none: a default folder that cannot be used is no reason to stop.
Result<std::optional<PlanCache>> open_cache(const CompileArgs& args) {
  if (args.no_cache) return std::optional<PlanCache>();
  const bool named = !args.cache_folder.empty();
  const fs::path folder = named ? fs::path(args.cache_folder) : PlanCache::default_folder();
  if (folder.empty()) return std::optional<PlanCache>();
  auto cache = PlanCache::open(folder);
  if (cache) return std::optional(*std::move(cache));
  if (named) return cache.error();
  log(LogLevel::kWarning, "no cache: " + cache.error().str());
  return std::optional<PlanCache>();
}

/// Everything a data source is made of. Pictures by content; label maps by their names, sizes and times.
Result<std::string> digest(const Contract& contract, const DataSource& source, Progress& progress) {
  TARMAC_TRY(const Dataset data, Dataset::open(contract, source));
  TARMAC_TRY(const Sha256Digest samples, data.digest_all(progress));
  std::string text = to_hex(samples);
  std::error_code ignored;
  for (const fs::path& path : {source.path, source.truth}) {
    if (fs::is_regular_file(path, ignored)) {
      TARMAC_TRY(const Sha256Digest file, sha256_file(path));
      text += to_hex(file);
    } else if (path == source.truth && fs::is_directory(path, ignored)) {
      for (const auto& entry : fs::recursive_directory_iterator(path, ignored))
        text +=
            fmt::format("{} {} {}\n", entry.path().string(), entry.is_regular_file() ? entry.file_size() : 0,
                        entry.last_write_time().time_since_epoch().count());
    }
  }
  return text;
}

/// The key of all that decides what the plan says, and the digests among it in `state`.
Result<std::string> key_of(const CompileArgs& args, const Model& model, WorkerState& state,
                           Progress& progress) {
  TARMAC_TRY(const auto targets, args.targets());
  PlanIngredients ingredients = machine_ingredients(targets);
  TARMAC_TRY(state.source_digest, model_digest(model));
  ingredients.emplace_back("model", state.source_digest);
  ingredients.emplace_back("options", args.fingerprint());
  if (!args.data.contract.empty()) {
    TARMAC_TRY(const Sha256Digest contract, sha256_file(args.data.contract));
    ingredients.emplace_back("contract", to_hex(contract));
  }
  if (args.wants("int8")) {
    TARMAC_TRY(const auto data, OpenData::open(args.data, model));
    progress.start("read the data", data->samples());
    TARMAC_TRY(std::string calibration, digest(data->contract(), data->source(), progress));
    std::error_code ignored;
    if (const auto& held_out = data->contract().evaluation_data;
        held_out && fs::exists(held_out->path, ignored)) {
      TARMAC_TRY(std::string evaluation, digest(data->contract(), *held_out, progress));
      calibration += evaluation;
    }
    state.data_digest = to_hex(sha256(std::as_bytes(std::span(calibration))));
    ingredients.emplace_back("data", state.data_digest);
    progress.finish();
  }
  return plan_key(ingredients);
}

/// One after another: a child for all candidates, and a new one without the culprit where that crashes.
class Build {
 public:
  Build(const CompileArgs& args, fs::path folder, WorkerState state, Run& run)
      : args_(args), folder_(std::move(folder)), state_(std::move(state)), run_(run) {}

  Status run() {
    TARMAC_TRY(std::vector<std::string> words, own_arguments());
    words.insert(words.begin() + 1, {"--worker", folder_.string()});
    while (true) {
      TARMAC_CHECK_OK(state_.save(folder_));
      WorkerListener listener(run_.progress);
      ChildJob job;
      job.program = kThisProgram;
      job.arguments = words;
      job.on_line = [&](std::string_view line) { listener.take(line); };
      job.tick = [&] { run_.progress.advance(0); };  // the time left is drawn anew
      job.stall_s = args_.stall_s;
      TARMAC_TRY(const ChildEnd end, run_child(job, run_.progress));
      run_.progress.finish();
      if (listener.status()) return done(listener);
      TARMAC_CHECK_OK(crashed(end, listener.active()));
    }
  }

 private:
  Status done(const WorkerListener& listener) {
    run_.output.json().update(listener.json());
    if (const auto& notes = listener.json().value("notes", Json::array()); notes.is_array()) {
      for (const Json& note : notes)
        run_.output.line("Note: {}", note.is_string() ? note.get<std::string>() : "");
    }
    Status status = *listener.status();
    if (status) return status;
    Error error = status.error();
    print_tried(listener.json().value("tried", Json()), run_.output);
    if (error.code == ErrorCode::kResourceExhausted && error.message.find("workspace") == std::string::npos)
      error.message += "; building may take " + format_bytes(state_.memory_limit_bytes) + " (--memory-limit)";
    return error;
  }

  /// Puts it down to the group that was at work, so that the next child goes without.
  Status crashed(const ChildEnd& end, const std::string& group) {
    std::string reason = end.str();
    if (end.killed == ChildEnd::Killed::kStalled)
      reason += fmt::format(" after {} s without a sign (--stall-limit)", args_.stall_s);
    const bool memory =
        static_cast<double>(end.peak_data_bytes) > 0.9 * static_cast<double>(state_.memory_limit_bytes) ||
        end.last_words.find("bad_alloc") != std::string::npos ||
        end.last_words.find("annot allocate") != std::string::npos;
    if (memory) {
      reason += fmt::format("; it reached the memory limit of {} (--memory-limit)",
                            format_bytes(state_.memory_limit_bytes));
    } else if (!end.last_words.empty()) {
      reason += "; its last words: " + end.last_words;
    }
    if (group.empty() || state_.failed.contains(group)) {
      return make_error(memory ? ErrorCode::kResourceExhausted : ErrorCode::kInternal,
                        "the process that builds the plan " + reason, {}, args_.model);
    }
    log(LogLevel::kWarning, group + " " + reason + "; going on without it");
    state_.failed[group] = reason;
    return {};
  }

  const CompileArgs& args_;
  const fs::path folder_;
  WorkerState state_;
  Run& run_;
};

/// The same plan under its own name; signed anew, else byte by byte.
Status write_out(const CompileArgs& args, const PlanFile& plan) {
  if (args.key.empty()) {
    TARMAC_TRY(AtomicFile file, AtomicFile::create(args.output));
    TARMAC_CHECK_OK(file.write(plan.file()->bytes()));
    return file.commit();
  }
  PlanContent content;
  content.info = plan.info();
  TARMAC_TRY(const Model model, plan.model());
  content.model = &model;
  content.contract_text = plan.contract_text();
  content.contract_folder = fs::path(args.data.contract).parent_path();
  content.sign_key = args.key;
  if (plan.info().has_engine) {
    TARMAC_TRY(const auto engine, plan.section(kEngineSection));
    content.engine.assign(reinterpret_cast<const char*>(engine.data()), engine.size());
  }
  return write_plan(args.output, content);
}

/// The engine's own file: what lies in the plan, else made from it.
Status export_engine(const CompileArgs& args, const PlanFile& plan, Run& run) {
  if (args.engine_file.empty()) return {};
  std::string engine;
  if (plan.info().has_engine) {
    TARMAC_TRY(const auto section, plan.section(kEngineSection));
    engine.assign(reinterpret_cast<const char*>(section.data()), section.size());
  } else {
    OpenOptions options;
    options.compile.saveable = true;
    TARMAC_TRY(const OpenedModel opened, open_model(plan.file()->path(), options, run.progress));
    TARMAC_TRY(engine, opened.executable->save_engine());
  }
  TARMAC_CHECK_OK(write_file(args.engine_file, engine));
  run.output.json()["engine_file"] = args.engine_file;
  run.output.line("{}'s own file written to {}", plan.info().target, args.engine_file);
  return {};
}

Status finish(const CompileArgs& args, const PlanFile& plan, Run& run) {
  if (run.progress.cancelled()) return make_error(ErrorCode::kCancelled, "interrupted; nothing was written");
  print_plan(plan.info(), run.output);
  TARMAC_CHECK_OK(export_engine(args, plan, run));
  TARMAC_CHECK_OK(write_out(args, plan));
  run.output.json()["output"] = args.output;
  run.output.line("Plan for {} ({}, {} stream{}) written to {}", plan.info().target, plan.info().precision,
                  plan.info().streams, plan.info().streams == 1 ? "" : "s", args.output);
  return {};
}

Status compile_command(const CompileArgs& args, Run& run) {
  if (!args.worker.empty()) return compile_worker(args);
  const auto begin = Clock::now();
  TARMAC_CHECK_OK(args.check());
  TARMAC_CHECK_OK(check_output_file(args.output));
  if (!args.engine_file.empty()) TARMAC_CHECK_OK(check_output_file(args.engine_file));
  WorkerState state;
  TARMAC_TRY(state.memory_limit_bytes, args.memory_limit_bytes());
  std::string key;
  {
    TARMAC_TRY(const Model model, load_onnx_model(args.model));
    TARMAC_TRY(key, key_of(args, model, state, run.progress));
  }
  TARMAC_TRY(const std::optional<PlanCache> cache, open_cache(args));
  Json& json = run.output.json()["cache"] = {{"key", key}, {"hit", false}};
  if (cache) {
    json["folder"] = cache->folder().string();
    if (const auto plan = cache->find(key)) {
      json["hit"] = true;
      TARMAC_CHECK_OK(finish(args, *plan, run));
      const Json tried = Json::parse(plan->info().tried_json, nullptr, false);
      run.output.json()["took_s"] = seconds_since(begin);
      run.output.line("From the cache in {:.2f} s; measured on {} in {:.1f} s", seconds_since(begin),
                      tried.value("measured_utc", "?"), tried.value("took_s", 0.0));
      return {};
    }
  }
  std::error_code ignored;
  TARMAC_TRY(const WorkFolder folder,
             WorkFolder::create(cache ? cache->folder() : fs::temp_directory_path(ignored)));
  TARMAC_CHECK_OK(Build(args, folder.path(), state, run).run());
  TARMAC_TRY(const PlanFile plan, PlanFile::open(folder.path() / kWorkerPlan));
  TARMAC_CHECK_OK(finish(args, plan, run));
  run.output.json()["took_s"] = seconds_since(begin);
  if (cache) {
    if (auto kept = cache->keep(key, folder.path() / kWorkerPlan); !kept)
      log(LogLevel::kWarning, "the plan is not kept in the cache: " + kept.error().str());
  }
  return {};
}

}  // namespace

void add_compile(Commands& commands) {
  const auto args = std::make_shared<CompileArgs>();
  CLI::App& command =
      commands.add("compile", "Make a plan: one file with everything that running the model here needs",
                   {"tarmac compile model.onnx -o model.plan --target auto",
                    "tarmac compile model.onnx -o model.plan --target openvino --contract deploy.yaml",
                    "tarmac compile model.onnx -o model.plan --target openvino --profile "
                    "'image:1x3x96x48,4x3x96x48,8x3x96x48' --bucket image:2x3x96x48",
                    "tarmac compile model.onnx -o model.plan --target auto --objective throughput "
                    "--batch 1,4,8 --precision fp32,int8 --contract deploy.yaml"},
                   [args](Run& run) { return compile_command(*args, run); });
  args->add(command);
}

}  // namespace tarmac::cli

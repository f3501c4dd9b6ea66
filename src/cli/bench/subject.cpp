#include "cli/bench/subject.h"

#include <chrono>

#include "graph/model_io.h"
#include "plan/plan_file.h"
#include "precision/convert.h"

namespace tarmac::cli {
namespace {

using Clock = std::chrono::steady_clock;

std::int64_t since(Clock::time_point begin) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - begin).count();
}

std::optional<std::uint64_t> resident_bytes() {
  const auto memory = memory_use();
  return memory ? std::optional(memory->resident_bytes) : std::nullopt;
}

/// What memory grew by; 0 where it shrank because something else was given back meanwhile.
std::optional<std::uint64_t> growth(std::optional<std::uint64_t> before) {
  const auto after = resident_bytes();
  if (!before || !after) return std::nullopt;
  return *after - std::min(*after, *before);
}

}  // namespace

SessionOptions session_options(const BenchArgs& args, const Setup& setup) {
  SessionOptions options;
  options.target = setup.target;
  options.cores = args.target.cores;
  // Without a wish a plan keeps its own layout.
  options.streams = args.streams.empty() ? 0 : setup.streams;
  options.providers = args.target.providers;
  options.allow_fallback = args.target.allow_fallback;
  options.required_signer = args.signature.required_signer;
  options.tracer = args.tracer;
  return options;
}

std::vector<Work*> Subject::all_works() const {
  std::vector<Work*> all;
  for (const auto& work : works) all.push_back(work.get());
  return all;
}

Result<Subject> open_subject(const BenchArgs& args, const Setup& setup, Run& run) {
  if (!setup.target.empty()) TARMAC_CHECK_OK(open_target(setup.target));
  if (run.progress.cancelled()) return make_error(ErrorCode::kCancelled, "interrupted");
  Subject subject;
  subject.setup = setup;
  const auto before = resident_bytes();
  const auto begin = Clock::now();
  TARMAC_TRY(Session session, Session::open(setup.model, session_options(args, setup)));
  subject.open_ns = since(begin);
  subject.loaded_bytes = growth(before);
  TARMAC_TRY(subject.source, FrameSource::make(args, setup.model, session, setup.batch));
  TARMAC_TRY(subject.works.emplace_back(),
             SessionWork::make(std::move(session), subject.source, args.tracer));
  for (int i = 1; i < setup.streams; ++i) {
    TARMAC_TRY(Session further, subject.session().clone_context());
    TARMAC_TRY(subject.works.emplace_back(),
               SessionWork::make(std::move(further), subject.source, args.tracer));
  }
  const auto first = Clock::now();
  TARMAC_CHECK_OK(subject.work().run());
  subject.first_run_ns = since(first);
  return subject;
}

Result<Subject> with_batch(const Subject& opened, const BenchArgs& args, std::int64_t batch) {
  Subject subject;
  subject.setup = opened.setup;
  subject.setup.batch = batch;
  subject.open_ns = opened.open_ns;
  subject.first_run_ns = opened.first_run_ns;
  TARMAC_TRY(subject.source, FrameSource::make(args, opened.setup.model, opened.session(), batch));
  for (int i = 0; i < opened.setup.streams; ++i) {
    TARMAC_TRY(Session further, opened.session().clone_context());
    TARMAC_TRY(subject.works.emplace_back(),
               SessionWork::make(std::move(further), subject.source, args.tracer));
  }
  return subject;
}

Status warm_up(Subject& subject, const BenchArgs& args, Run& run) {
  const auto stop = [&] { return run.progress.cancelled(); };
  TARMAC_TRY(subject.warm_up, tarmac::warm_up(subject.work(), args.warm_up(), stop));
  // Every stream has kernels and memory of its own to prepare.
  for (std::size_t i = 1; i < subject.works.size(); ++i) {
    if (auto warm = tarmac::warm_up(*subject.works[i], args.measured(), stop); !warm)
      return std::move(warm).error();
  }
  return {};
}

Result<std::optional<std::uint64_t>> context_bytes(const Subject& subject) {
  const auto before = resident_bytes();
  TARMAC_TRY(Session session, subject.session().clone_context());
  TARMAC_TRY(const auto work, SessionWork::make(std::move(session), subject.source, nullptr));
  TARMAC_CHECK_OK(work->run());
  return growth(before);
}

Result<std::uint64_t> weight_bytes(const std::string& path) {
  std::optional<Model> model;
  if (is_plan(path)) {
    TARMAC_TRY(const PlanFile plan, PlanFile::open(path));
    TARMAC_TRY(model, plan.model());
  } else {
    TARMAC_TRY(model, load_model(path));
  }
  return tarmac::weight_bytes(*model);
}

Json describe(const Subject& subject) {
  Json inputs = Json::object();
  for (const auto& [name, tensor] : subject.works.front()->inputs()) inputs[name] = tensor.shape();
  const Session& session = subject.session();
  return {{"model", subject.setup.model},
          {"target", session.target()},
          {"engine_version", session.engine_version()},
          {"notes", session.notes()},
          {"streams", subject.setup.streams},
          {"batch", subject.source->samples() > 0 ? Json(subject.source->samples()) : Json()},
          {"inputs", inputs},
          {"input_values", subject.source->origin()},
          {"preprocessed", subject.source->preprocesses()},
          {"open_ns", subject.open_ns},
          {"first_run_ns", subject.first_run_ns},
          {"warm_up",
           {{"runs", subject.warm_up.runs},
            {"seconds", subject.warm_up.seconds},
            {"settled", subject.warm_up.settled}}}};
}

}  // namespace tarmac::cli

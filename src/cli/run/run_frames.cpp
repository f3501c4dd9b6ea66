#include "cli/run/run_frames.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "cli/args/input_files.h"
#include "cli/run/frame_output.h"
#include "cli/run/frame_times.h"
#include "cli/run/interpret.h"

namespace tarmac::cli {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr double kMaxUnreadable = 0.05;

/// The picture input and what is read for it.
struct Frames {
  const InputSpec* input = nullptr;
  const Preprocessor* preprocessor = nullptr;
  std::optional<RawFormat> raw;
  std::vector<FrameSource> sources;

  [[nodiscard]] std::int64_t count() const {
    std::int64_t total = 0;
    for (const FrameSource& source : sources) total += source.count();
    return total;
  }
};

Status check_drawable(const RunArgs& args, const Meaning& meaning, const InputSpec& input) {
  if (!args.draw) return {};
  if (args.output_dir.empty())
    return make_error(ErrorCode::kUsage, "drawn pictures need a folder; add --output-dir DIR");
  if (meaning.task == Task::kNone) {
    return make_error(ErrorCode::kUsage,
                      "nothing says what the outputs mean; add the section 'detections' or 'labels' to the "
                      "contract");
  }
  const bool bent = std::any_of(input.preprocess.begin(), input.preprocess.end(),
                                [](const auto& step) { return std::holds_alternative<UndistortStep>(step); });
  if (meaning.task == Task::kSegmentation && bent) {
    return make_error(ErrorCode::kUnsupported,
                      "classes of pixels are not drawn through a lens; leave --draw out");
  }
  return {};
}

Result<Frames> plan_frames(const RunArgs& args, const Meaning& meaning, const Session& session) {
  if (meaning.preprocessors.size() != 1) {
    return make_error(ErrorCode::kUsage,
                      fmt::format("frames are run by a contract with one picture input; found {}",
                                  meaning.preprocessors.size()));
  }
  Frames frames;
  const auto& [name, preprocessor] = *meaning.preprocessors.begin();
  frames.preprocessor = &preprocessor;
  frames.input = meaning.contract->find_input(name);
  frames.raw = std::get<DecodeStep>(frames.input->preprocess.front()).raw;
  TARMAC_CHECK_OK(check_drawable(args, meaning, *frames.input));
  TARMAC_TRY(const auto named, split_inputs(args.inputs, session.inputs()));
  const auto given = std::count_if(named.begin(), named.end(),
                                   [&](const auto& one) { return one.first == frames.input->name; });
  for (const auto& [input, path] : named) {
    if (input != frames.input->name) continue;
    TARMAC_TRY(auto found, find_frames(path, preprocessor));
    for (FrameSource& source : found) {
      // Of several folders, each keeps its name.
      if (given > 1) source.root = (path / "").parent_path().parent_path();
      frames.sources.push_back(std::move(source));
    }
  }
  if (!frames.sources.empty()) return frames;
  return make_error(ErrorCode::kUsage, fmt::format("input '{}' has no value; add --input {}=DIR",
                                                   frames.input->name, frames.input->name));
}

/// What is the same for all frames.
Status bind_others(const RunArgs& args, const Meaning& meaning, const Frames& frames, Session& session) {
  TARMAC_TRY(const auto named, split_inputs(args.inputs, session.inputs()));
  for (const TensorSpec& input : session.inputs()) {
    if (input.name == frames.input->name) continue;
    for (const auto& [name, path] : named) {
      if (name != input.name) continue;
      TARMAC_TRY(Tensor tensor, read_input(input, path, meaning.preprocessors));
      TARMAC_CHECK_OK(session.set_input(name, tensor));
    }
  }
  return {};
}

const char* task_name(Task task) {
  switch (task) {
    case Task::kDetection:
      return "detection";
    case Task::kDetection3d:
      return "detection_3d";
    case Task::kClassification:
      return "classification";
    case Task::kSegmentation:
      return "segmentation";
    case Task::kNone:
      break;
  }
  return "none";
}

/// One pass through all frames.
class Pass {
 public:
  Pass(const RunArgs& args, const Meaning& meaning, const Frames& frames, Session& session, Tracer* tracer)
      : args_(args), meaning_(meaning), frames_(frames), session_(session), tracer_(tracer) {}

  Status open_output() {
    if (args_.output_dir.empty()) return {};
    const char* lines = meaning_.task == Task::kDetection ? "detections.jsonl" : "frames.jsonl";
    TARMAC_TRY(FrameOutput made, FrameOutput::create(args_.output_dir, lines, frames_.sources));
    output_.emplace(std::move(made));
    return {};
  }

  Status run(Progress& progress) {
    FrameReader reader(frames_.sources, frames_.raw, *frames_.preprocessor, tracer_);
    const auto begin = Clock::now();
    progress.start("run", static_cast<std::uint64_t>(frames_.count()));
    Status status;
    while (status) {
      if (progress.cancelled()) {
        status = make_error(ErrorCode::kCancelled, "interrupted");
        break;
      }
      auto frame = reader.next();
      if (!frame) break;
      status = take(*frame);
      progress.advance();
    }
    seconds_ = std::chrono::duration<double>(Clock::now() - begin).count();
    progress.finish();
    // What there is stays, however the work ended.
    if (output_) {
      if (auto finished = output_->finish(); status && !finished) status = std::move(finished);
    }
    return status;
  }

  [[nodiscard]] Status check_unreadable() const {
    const auto all = static_cast<double>(frames_.count());
    const std::int64_t lost = frames_.count() - done();
    if (static_cast<double>(lost) <= kMaxUnreadable * all && done() > 0) return {};
    return make_error(ErrorCode::kInvalidInput,
                      fmt::format("{} of {} frames cannot be read; the first: {}", lost, frames_.count(),
                                  first_error_.value_or(Error{}).str()));
  }

  void report(Output& output, Json& json) const {
    json["task"] = task_name(meaning_.task);
    json["frames"] = done();
    json["unreadable"] = frames_.count() - done();
    json["scenes"] = scenes_;
    json["found"] = Json::object();
    for (const auto& [name, count] : tally_) json["found"][name] = count;
    json["preprocess_ms"] = times_json(preprocess_ns_);
    json["inference_ms"] = times_json(inference_ns_);
    json["frames_per_s"] = static_cast<double>(done()) / seconds_;
    if (output_) {
      json["lines"] = output_->lines_path().string();
      json["pictures"] = output_->pictures();
      json["videos"] = output_->videos();
    }
    std::vector<std::string> found;
    for (const auto& [name, count] : tally_) found.push_back(fmt::format("{} {}", count, name));
    output.line("{} frames in {:.1f} s ({:.1f} a second), {} unreadable; inference {} p50, {} p99", done(),
                seconds_, static_cast<double>(done()) / seconds_, frames_.count() - done(),
                time_text(inference_ns_, "p50"), time_text(inference_ns_, "p99"));
    if (!found.empty()) output.line("Found: {}", fmt::join(found, ", "));
    if (output_) {
      output.line("Written: {}{}{}", output_->lines_path().string(),
                  output_->pictures() > 0
                      ? fmt::format(", {} pictures in {}", output_->pictures(), args_.output_dir)
                      : "",
                  output_->videos().empty() ? "" : fmt::format(", {}", fmt::join(output_->videos(), ", ")));
    }
  }

 private:
  [[nodiscard]] std::int64_t done() const { return static_cast<std::int64_t>(inference_ns_.size()); }

  Status take(Frame& frame) {
    const FrameSource& source = frames_.sources[frame.source];
    Json line = {{"frame", source.name_of(frame.index)}, {"index", frame.index}, {"time_s", nullptr}};
    if (source.fps > 0) line["time_s"] = static_cast<double>(frame.index) / source.fps;
    if (frame.error) return take_unreadable(*frame.error, line);
    if (source_ != frame.source || gap_) {
      session_.reset_scene();
      ++scenes_;
    }
    source_ = frame.source;
    gap_ = false;
    TARMAC_CHECK_OK(session_.set_input(frames_.input->name, frame.input));
    const auto begin = Clock::now();
    TARMAC_CHECK_OK(session_.run());
    inference_ns_.push_back(
        std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - begin).count());
    preprocess_ns_.push_back(frame.preprocess_ns);
    const Span span(tracer_, "result", static_cast<std::uint64_t>(frame.index));
    TARMAC_TRY(const FrameResult result,
               interpret(meaning_, *frames_.input, frame.view.height, frame.view.width, session_));
    add_to_tally(result, meaning_, tally_);
    if (!output_) return {};
    line["scene"] = scenes_ - 1;
    line["height"] = frame.view.height;
    line["width"] = frame.view.width;
    line["preprocess_ms"] = static_cast<double>(preprocess_ns_.back()) / 1e6;
    line["inference_ms"] = static_cast<double>(inference_ns_.back()) / 1e6;
    add_to_json(result, meaning_, line);
    if (args_.draw) {
      TARMAC_TRY(PictureCanvas canvas, PictureCanvas::create(frame.view));
      draw(result, meaning_, canvas);
      TARMAC_CHECK_OK(output_->add_picture(source, frame.index, canvas));
    }
    return output_->add_line(line);
  }

  Status take_unreadable(const Error& error, Json& line) {
    log(LogLevel::kWarning,
        fmt::format("frame {} is passed over: {}", line["frame"].get<std::string>(), error.str()));
    if (!first_error_) first_error_ = error;
    gap_ = true;
    line["error"] = to_json(error);
    return output_ ? output_->add_line(line) : Status();
  }

  const RunArgs& args_;
  const Meaning& meaning_;
  const Frames& frames_;
  Session& session_;
  Tracer* tracer_;
  std::optional<FrameOutput> output_;
  std::optional<std::size_t> source_;
  bool gap_ = false;
  std::int64_t scenes_ = 0;
  std::vector<std::int64_t> preprocess_ns_;
  std::vector<std::int64_t> inference_ns_;
  Tally tally_;
  std::optional<Error> first_error_;
  double seconds_ = 0;
};

}  // namespace

bool wants_frames(const RunArgs& args, const Session& session) {
  if (args.draw) return true;
  const auto named = split_inputs(args.inputs, session.inputs());
  return named.ok() &&
         std::any_of(named->begin(), named->end(), [](const auto& one) { return holds_video(one.second); });
}

Status run_frames(const RunArgs& args, Meaning meaning, Session& session, Tracer* tracer, Run& run) {
  if (args.min_score) meaning.detection.min_score = *args.min_score;
  TARMAC_TRY(const Frames frames, plan_frames(args, meaning, session));
  TARMAC_CHECK_OK(bind_others(args, meaning, frames, session));
  Pass pass(args, meaning, frames, session, tracer);
  TARMAC_CHECK_OK(pass.open_output());
  TARMAC_CHECK_OK(pass.run(run.progress));
  Json& json = run.output.json();
  json = {{"model", args.model},
          {"target", session.target()},
          {"engine_version", session.engine_version()},
          {"notes", session.notes()}};
  run.output.line("{} on {} ({})", args.model, session.target(), session.engine_version());
  pass.report(run.output, json);
  for (const std::string& note : session.notes()) run.output.line("Note: {}", note);
  return pass.check_unreadable();
}

}  // namespace tarmac::cli

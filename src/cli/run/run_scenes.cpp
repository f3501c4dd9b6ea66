#include "cli/run/run_scenes.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "cli/args/input_files.h"
#include "cli/run/frame_times.h"
#include "cli/run/scene_output.h"
#include "contract/dataset.h"
#include "tensor/io.h"
#include "verify/read_detections.h"
#include "verify/read_detections_3d.h"

namespace tarmac::cli {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

Status check_request(const RunArgs& args, const Meaning& meaning) {
  if (meaning.task != Task::kDetection3d) {
    return make_error(
        ErrorCode::kUsage,
        "--data is for 3-D detectors, whose contract says 'detections: {decoder: centerpoint}'; "
        "give other models --input NAME=FILE|DIR");
  }
  if (!args.inputs.empty()) {
    return make_error(
        ErrorCode::kUsage,
        "frames of a 3-D detector come from one file with all inputs; give --data FILE.npz instead "
        "of --input");
  }
  if (args.draw && args.output_dir.empty())
    return make_error(ErrorCode::kUsage, "drawn pictures need a folder; add --output-dir DIR");
  return {};
}

/// The contract's data, or what --data names; with labels where there are some. A plan moves without its
/// data.
Result<Dataset> open_data(const RunArgs& args, const Contract& contract, const Session& session) {
  DataSource source;
  if (args.data.empty()) {
    if (session.plan() != nullptr) {
      return make_error(ErrorCode::kUsage, "a plan does not carry its data; add --data FILE.npz", {},
                        args.model);
    }
    if (!contract.evaluation_data) {
      return make_error(ErrorCode::kUsage, "the contract names no evaluation data; add --data FILE.npz", {},
                        contract.file.string());
    }
    source = *contract.evaluation_data;
  } else {
    source.kind = DataKind::kTensors;
    source.path = args.data;
    std::error_code ignored;
    if (!fs::exists(source.path, ignored))
      return make_error(ErrorCode::kNotFound, "there is no data of this name; check --data", {}, args.data);
    if (source.path.extension() != ".npz")
      return make_error(ErrorCode::kUsage, "expected an .npz with an array for each input", {}, args.data);
    TARMAC_TRY(const auto arrays, read_npz(source.path));
    if (arrays.contains("labels")) source.labels = LabelSource::kFromFile;
  }
  return Dataset::open(contract, source);
}

Json box_json(const Detection3d& one, const Meaning& meaning) {
  const auto rounded = [](double value, double digits) {
    return std::isfinite(value) ? Json(std::round(value * digits) / digits) : Json();
  };
  Json json = {{"label", label_name(meaning.labels, one.label)},
               {"class", one.label},
               {"score", rounded(one.score, 1e4)}};
  const Box3d& box = one.box;
  for (const auto& [name, value] : {std::pair("x", box.x),
                                    {"y", box.y},
                                    {"z", box.z},
                                    {"dx", box.dx},
                                    {"dy", box.dy},
                                    {"dz", box.dz},
                                    {"yaw", box.yaw},
                                    {"vx", box.vx},
                                    {"vy", box.vy}})
    json[name] = rounded(value, 1e3);
  return json;
}

/// One pass through the samples.
class Pass {
 public:
  Pass(const RunArgs& args, const Meaning& meaning, const Dataset& data, Session& session)
      : args_(args),
        meaning_(meaning),
        data_(data),
        session_(session),
        frames_(args.frames > 0 ? std::min(data.size(), static_cast<std::size_t>(args.frames))
                                : data.size()) {}

  Status run(Progress& progress) {
    if (!args_.output_dir.empty()) {
      const std::string name = data_.items().front().path.stem().string();
      TARMAC_TRY(SceneOutput made,
                 SceneOutput::create({args_.output_dir, name, args_.fps, args_.animation_height}));
      output_.emplace(std::move(made));
    }
    const auto begin = Clock::now();
    progress.start("run", frames_);
    Status status;
    for (std::size_t i = 0; status && i < frames_; ++i) {
      status = progress.cancelled() ? make_error(ErrorCode::kCancelled, "interrupted") : take(i);
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

  void report(Output& output, Json& json) const {
    const double per_second = static_cast<double>(inference_ns_.size()) / seconds_;
    json["task"] = "detection_3d";
    json["frames"] = inference_ns_.size();
    json["scenes"] = scenes_;
    json["found"] = found_;
    json["inference_ms"] = times_json(inference_ns_);
    json["frames_per_s"] = per_second;
    if (output_) output_->add_to_json(json);
    output.line("{} frames of {} scenes in {:.1f} s ({:.1f} a second); inference {} p50, {} p99",
                inference_ns_.size(), scenes_, seconds_, per_second, time_text(inference_ns_, "p50"),
                time_text(inference_ns_, "p99"));
    std::vector<std::string> found;
    for (const auto& [name, count] : found_.items())
      found.push_back(fmt::format("{} {}", count.get<std::int64_t>(), name));
    if (!found.empty()) output.line("Found: {}", fmt::join(found, ", "));
    if (output_) output.line("Written: {}", output_->written());
  }

 private:
  Status take(std::size_t index) {
    const DataItem& item = data_.items()[index];
    if (index == 0 || item.scene != data_.items()[index - 1].scene) {
      session_.reset_scene();
      ++scenes_;
      frame_ = 0;
    }
    TARMAC_TRY(const auto inputs, data_.load(index));
    for (const auto& [name, tensor] : inputs) TARMAC_CHECK_OK(session_.set_input(name, tensor));
    const auto begin = Clock::now();
    TARMAC_CHECK_OK(session_.run());
    inference_ns_.push_back(
        std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - begin).count());
    NamedTensors outputs;
    for (const std::string& name : detection_outputs(meaning_.detection)) {
      TARMAC_TRY(outputs[name], session_.output(name));
    }
    TARMAC_TRY(auto found, read_detections_3d(outputs, meaning_.detection, 1));
    for (const Detection3d& one : found.front()) {
      Json& count = found_[label_name(meaning_.labels, one.label)];
      count = (count.is_null() ? 0 : count.get<std::int64_t>()) + 1;
    }
    if (output_) TARMAC_CHECK_OK(write(index, inputs, std::move(found.front())));
    ++frame_;
    return {};
  }

  Status write(std::size_t index, const std::map<std::string, Tensor>& inputs,
               std::vector<Detection3d> found) {
    Json line = {{"frame", fmt::format("{}#{}", data_.items()[index].path.filename().string(), index)},
                 {"index", index},
                 {"scene", scenes_ - 1},
                 {"frame_of_scene", frame_},
                 {"inference_ms", static_cast<double>(inference_ns_.back()) / 1e6},
                 {"detections", Json::array()}};
    for (const Detection3d& one : found) line["detections"].push_back(box_json(one, meaning_));
    TARMAC_CHECK_OK(output_->add_line(line));
    if (!args_.draw) return {};
    TARMAC_TRY(Scene3d scene, scene_of(*meaning_.contract, inputs));
    scene.predictions = std::move(found);
    if (data_.has_truth()) {
      TARMAC_TRY(Truth truth, data_.load_truth(index));
      if (truth.has_boxes_3d) scene.truth = std::move(truth.boxes_3d);
    }
    scene.title = fs::path(args_.model).filename().string();
    scene.scene = scenes_ - 1;
    scene.frame = frame_;
    return output_->add_picture(scene, index);
  }

  const RunArgs& args_;
  const Meaning& meaning_;
  const Dataset& data_;
  Session& session_;
  std::size_t frames_;
  std::optional<SceneOutput> output_;
  std::int64_t scenes_ = 0;
  std::int64_t frame_ = 0;  ///< of its scene
  std::vector<std::int64_t> inference_ns_;
  Json found_ = Json::object();
  double seconds_ = 0;
};

}  // namespace

bool wants_scenes(const RunArgs& args, const Meaning& meaning) {
  return !args.data.empty() || (args.draw && meaning.task == Task::kDetection3d);
}

Result<std::vector<StateSpec>> state_of_scenes(const RunArgs& args) {
  std::vector<StateSpec> state;
  if (args.contract.empty()) return state;
  ContractOptions options;
  options.files_must_exist = false;
  TARMAC_TRY(const Contract contract, load_contract(args.contract, options));
  if (!contract.sequence) return state;
  const auto is_given = [&](const StateSpec& one) {
    return std::any_of(args.inputs.begin(), args.inputs.end(),
                       [&](const std::string& text) { return text.starts_with(one.input + "="); });
  };
  std::remove_copy_if(contract.sequence->state.begin(), contract.sequence->state.end(),
                      std::back_inserter(state), is_given);
  return state;
}

Status run_scenes(const RunArgs& args, Meaning meaning, Session& session, Run& run) {
  TARMAC_CHECK_OK(check_request(args, meaning));
  if (args.min_score) meaning.detection.min_score = *args.min_score;
  TARMAC_TRY(const Dataset data, open_data(args, *meaning.contract, session));
  if (data.size() == 0) return make_error(ErrorCode::kInvalidInput, "found no samples", {}, args.data);
  Pass pass(args, meaning, data, session);
  TARMAC_CHECK_OK(pass.run(run.progress));
  Json& json = run.output.json();
  json = {{"model", args.model},
          {"target", session.target()},
          {"engine_version", session.engine_version()},
          {"notes", session.notes()}};
  run.output.line("{} on {} ({})", args.model, session.target(), session.engine_version());
  pass.report(run.output, json);
  for (const std::string& note : session.notes()) run.output.line("Note: {}", note);
  return {};
}

}  // namespace tarmac::cli

#include "cli/run/interpret.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "verify/read_detections.h"

namespace tarmac::cli {
namespace {

/// "" is the only output.
Result<std::string> find_name(const Session& session, const std::string& wanted) {
  if (!wanted.empty()) return wanted;
  if (session.outputs().size() == 1) return session.outputs().front().name;
  std::vector<std::string> names;
  for (const TensorSpec& output : session.outputs()) names.push_back(output.name);
  return make_error(
      ErrorCode::kNotFound,
      fmt::format("the contract names no output; the model's outputs are: {}", fmt::join(names, ", ")));
}

Status detect(const Meaning& meaning, const InputSpec& input, int height, int width, Session& session,
              FrameResult& result) {
  NamedTensors outputs;
  for (const std::string& wanted : detection_outputs(meaning.detection)) {
    TARMAC_TRY(const std::string name, find_name(session, wanted));
    TARMAC_TRY(outputs[name], session.output(name));
  }
  TARMAC_TRY(auto found, read_detections(outputs, meaning.detection, 1));
  for (Detection& one : found.front()) {
    if (!(one.score >= meaning.detection.min_score)) continue;  // NaN as well
    one.box = to_picture(input, result.trace, height, width, one.box);
    result.detections.push_back(one);
  }
  std::stable_sort(result.detections.begin(), result.detections.end(),
                   [](const Detection& a, const Detection& b) { return a.score > b.score; });
  return {};
}

Status classify(const Meaning& meaning, Session& session, FrameResult& result) {
  TARMAC_TRY(const std::string name, find_name(session, meaning.scores_output));
  TARMAC_TRY(const Tensor scores, session.output(name));
  if (!is_scores(meaning, session, name, scores)) {
    return make_error(ErrorCode::kInvalidInput,
                      fmt::format("expected scores of the contract's {} labels, found {}",
                                  meaning.labels.size(), tarmac::to_string(scores.shape())),
                      name);
  }
  TARMAC_TRY(auto labels, top_labels(meaning, scores));
  if (!labels.empty()) result.top = std::move(labels.front());
  return {};
}

Status segment(const Meaning& meaning, Session& session, FrameResult& result) {
  TARMAC_TRY(const std::string name, find_name(session, meaning.scores_output));
  TARMAC_TRY(const Tensor scores, session.output(name));
  TARMAC_TRY(result.classes, class_map(scores, meaning.contract->evaluation->threshold));
  if (result.classes.shape.size() == 3) return {};
  return make_error(ErrorCode::kInvalidInput,
                    "expected classes of pixels, [N, H, W], found " + tarmac::to_string(result.classes.shape),
                    name);
}

std::string percent(double share) { return fmt::format("{:.0f}%", 100 * share); }

}  // namespace

Result<FrameResult> interpret(const Meaning& meaning, const InputSpec& input, int height, int width,
                              Session& session) {
  FrameResult result;
  TARMAC_TRY(result.trace, trace_geometry(input, height, width));
  switch (meaning.task) {
    case Task::kDetection:
      TARMAC_CHECK_OK(detect(meaning, input, height, width, session, result));
      break;
    case Task::kClassification:
      TARMAC_CHECK_OK(classify(meaning, session, result));
      break;
    case Task::kSegmentation:
      TARMAC_CHECK_OK(segment(meaning, session, result));
      break;
    case Task::kDetection3d:  // has no place in one frame
    case Task::kNone:
      break;
  }
  return result;
}

void add_to_json(const FrameResult& result, const Meaning& meaning, Json& line) {
  const auto rounded = [](double value, double digits) { return std::round(value * digits) / digits; };
  if (meaning.task == Task::kDetection) {
    line["detections"] = Json::array();
    for (const Detection& one : result.detections) {
      Json box = Json::array();
      for (const double corner : {one.box.x1, one.box.y1, one.box.x2, one.box.y2})
        box.push_back(rounded(corner, 100));
      line["detections"].push_back({{"label", label_name(meaning.labels, one.label)},
                                    {"class", one.label},
                                    {"score", rounded(one.score, 10'000)},
                                    {"box", std::move(box)}});
    }
  } else if (meaning.task == Task::kClassification) {
    line["top1"] = {{"label", result.top.label},
                    {"class", result.top.index},
                    {"probability", rounded(result.top.probability, 10'000)}};
  } else if (meaning.task == Task::kSegmentation) {
    std::map<std::int32_t, std::int64_t> counts;
    for (const std::int32_t label : result.classes.classes) ++counts[label];
    line["shares"] = Json::object();
    for (const auto& [label, count] : counts) {
      line["shares"][label < 0 ? "none" : label_name(meaning.labels, label)] =
          rounded(static_cast<double>(count) / static_cast<double>(result.classes.classes.size()), 10'000);
    }
  }
}

void draw(const FrameResult& result, const Meaning& meaning, PictureCanvas& canvas) {
  if (meaning.task == Task::kDetection) {
    // The best comes last, so that it lies on top.
    for (auto one = result.detections.rbegin(); one != result.detections.rend(); ++one) {
      canvas.box(one->box, one->label,
                 fmt::format("{} {}", label_name(meaning.labels, one->label), percent(one->score)));
    }
  } else if (meaning.task == Task::kClassification) {
    canvas.headline(fmt::format("{} {}", result.top.label, percent(result.top.probability)),
                    result.top.index);
  } else if (meaning.task == Task::kSegmentation) {
    canvas.classes(result.classes.classes, result.classes.shape[1], result.classes.shape[2], result.trace);
  }
}

void add_to_tally(const FrameResult& result, const Meaning& meaning, Tally& tally) {
  const auto add = [&](const std::string& name) {
    const auto found =
        std::find_if(tally.begin(), tally.end(), [&](const auto& entry) { return entry.first == name; });
    if (found == tally.end()) {
      tally.emplace_back(name, 1);
    } else {
      ++found->second;
    }
  };
  if (meaning.task == Task::kDetection) {
    for (const Detection& one : result.detections) add(label_name(meaning.labels, one.label));
  } else if (meaning.task == Task::kClassification) {
    add(result.top.label);
  }
}

}  // namespace tarmac::cli

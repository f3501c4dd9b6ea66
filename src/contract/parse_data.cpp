#include <algorithm>
#include <limits>

#include "contract/sections.h"
#include "contract/words.h"

namespace tarmac {
namespace {

constexpr std::int64_t kAnyPositive = std::numeric_limits<std::int64_t>::max();

Status parse_video(const Field& video, const Contract& contract, DataSource& source) {
  if (contract.inputs[0].is_raw())
    return video.error(
        "the decode step expects a camera's raw frames; remove 'format' there for video files");
  source.kind = DataKind::kVideo;
  if (auto folder = video.existing_folder()) {
    source.path = *std::move(folder);
    return {};
  }
  TARMAC_TRY(source.path, video.existing_file());
  return {};
}

Status parse_place(const Field& field, const Contract& contract, DataSource& source) {
  const auto folder = field.find("folder");
  const auto list = field.find("list");
  const auto tensors = field.find("npz");
  const auto video = field.find("video");
  if ((folder ? 1 : 0) + (list ? 1 : 0) + (tensors ? 1 : 0) + (video ? 1 : 0) != 1) {
    return field.error("expected exactly one of the keys folder, list, npz, video");
  }
  const auto& place = folder ? *folder : list ? *list : tensors ? *tensors : *video;
  const bool pictures = contract.inputs.size() == 1 && contract.inputs[0].is_picture();
  const bool tensors_only = std::none_of(contract.inputs.begin(), contract.inputs.end(),
                                         [](const InputSpec& input) { return input.is_picture(); });
  if (!tensors && !pictures && !(folder && tensors_only)) {
    return place.error(
        "pictures need a model with one input, and that input needs preprocess; give tensors with npz, or in "
        "a folder of them");
  }
  if (const auto stride = field.find("stride")) {
    if (!video) return stride->error("stride belongs to video; remove it");
    TARMAC_TRY(source.stride, stride->integer(1, 1'000'000));
  }
  if (video) return parse_video(*video, contract, source);
  source.kind = folder ? DataKind::kFolder : list ? DataKind::kList : DataKind::kTensors;
  TARMAC_TRY(source.path, folder ? place.existing_folder() : place.existing_file());
  if (list) source.root = source.path.parent_path();
  if (const auto root = field.find("root")) {
    if (!list) return root->error("root belongs to list; remove it");
    TARMAC_TRY(source.root, root->existing_folder());
  }
  if (tensors) {
    const auto extension = source.path.extension();
    if (extension == ".npy" && contract.inputs.size() != 1) {
      return place.wrong("an .npz file, as the model has several inputs");
    }
    if (extension != ".npz" && extension != ".npy") return place.wrong("an .npz or .npy file");
  }
  return {};
}

Result<LabelSource> parse_label_source(const Field& field, const Contract& contract, DataKind kind) {
  static constexpr Choice<LabelSource> kFolderWords[] = {{"from_folder", LabelSource::kFromFolder}};
  static constexpr Choice<LabelSource> kFileWords[] = {{"from_file", LabelSource::kFromFile}};
  if (contract.labels.empty())
    return field.error("the section 'labels' is missing; it names the classes in order");
  if (kind == DataKind::kVideo) return field.error("frames of a video have no labels; remove the key");
  return kind == DataKind::kFolder ? field.choice(kFolderWords) : field.choice(kFileWords);
}

/// labels, masks or boxes: at most one says what is right.
Status parse_truth(const Field& field, const Contract& contract, DataSource& source) {
  const auto labels = field.find("labels");
  const auto masks = field.find("masks");
  const auto boxes = field.find("boxes");
  if ((labels ? 1 : 0) + (masks ? 1 : 0) + (boxes ? 1 : 0) > 1)
    return field.error("expected at most one of the keys labels, masks, boxes");
  if (labels) {
    TARMAC_TRY(source.labels, parse_label_source(*labels, contract, source.kind));
    return {};
  }
  if (!masks && !boxes) return {};
  const Field& truth = masks ? *masks : *boxes;
  if (source.kind == DataKind::kVideo) return truth.error("frames of a video have no labels; remove the key");
  if (source.kind == DataKind::kTensors || !contract.inputs.front().is_picture())
    return truth.error(
        "tensors have their label maps or boxes in the array 'labels'; write labels: from_file");
  if (contract.labels.empty())
    return truth.error("the section 'labels' is missing; it names the classes in order");
  source.labels = masks ? LabelSource::kMasks : LabelSource::kBoxes;
  TARMAC_TRY(source.truth, masks ? truth.existing_folder() : truth.existing_file());
  const auto& steps = contract.inputs.front().preprocess;
  if (boxes && std::any_of(steps.begin(), steps.end(), [](const PreprocessStep& step) {
        return std::holds_alternative<UndistortStep>(step);
      })) {
    return truth.error("boxes do not stay boxes under undistort; label straight pictures, or give tensors");
  }
  return {};
}

Result<DataSource> parse_source(const Field& field, const Contract& contract) {
  DataSource source;
  TARMAC_CHECK_OK(parse_place(field, contract, source));
  TARMAC_CHECK_OK(parse_truth(field, contract, source));
  const auto samples = field.find("samples");
  if (samples) {
    TARMAC_TRY(source.samples, samples->integer(1, kAnyPositive));
  }
  if (const auto seed = field.find("seed")) {
    if (!samples) return seed->error("seed chooses among samples; add the key 'samples' or remove seed");
    TARMAC_TRY(const std::int64_t value, seed->integer(0, kAnyPositive));
    source.seed = static_cast<std::uint64_t>(value);
  }
  return source;
}

}  // namespace

Status parse_data(const Field& field, Contract& contract) {
  TARMAC_CHECK_OK(field.allow_keys({"calibration", "evaluation"}));
  if (const auto calibration = field.find("calibration")) {
    TARMAC_CHECK_OK(calibration->allow_keys(
        {"folder", "list", "root", "npz", "video", "stride", "labels", "samples", "seed"}));
    TARMAC_TRY(contract.calibration, parse_source(*calibration, contract));
  }
  if (const auto evaluation = field.find("evaluation")) {
    TARMAC_CHECK_OK(evaluation->allow_keys(
        {"folder", "list", "root", "npz", "video", "stride", "labels", "masks", "boxes", "samples", "seed"}));
    TARMAC_TRY(contract.evaluation_data, parse_source(*evaluation, contract));
  }
  return {};
}

Result<ReferenceSpec> parse_reference(const Field& field) {
  TARMAC_CHECK_OK(field.allow_keys({"outputs", "inputs", "root", "output", "max_relative_error"}));
  ReferenceSpec reference;
  TARMAC_TRY(const Field outputs, field.require("outputs"));
  TARMAC_TRY(reference.outputs, outputs.existing_file());
  if (reference.outputs.extension() != ".npy") return outputs.wrong("an .npy file");
  TARMAC_TRY(const Field inputs, field.require("inputs"));
  TARMAC_TRY(reference.inputs, inputs.existing_file());
  const auto extension = reference.inputs.extension();
  if (extension != ".txt" && extension != ".npy" && extension != ".npz") {
    return inputs.wrong("a list of pictures (.txt), or tensors (.npy, .npz)");
  }
  reference.root = reference.inputs.parent_path();
  if (const auto root = field.find("root")) {
    if (extension != ".txt") return root->error("root belongs to a list of pictures; remove it");
    TARMAC_TRY(reference.root, root->existing_folder());
  }
  if (const auto output = field.find("output")) {
    TARMAC_TRY(reference.output, output->text("the name of an output"));
  }
  TARMAC_TRY(const Field limit, field.require("max_relative_error"));
  TARMAC_TRY(reference.max_relative_error, limit.percent());
  return reference;
}

}  // namespace tarmac

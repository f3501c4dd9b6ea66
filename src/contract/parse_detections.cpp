#include <algorithm>

#include "contract/sections.h"
#include "contract/words.h"

namespace tarmac {
namespace {

Status read_name(const Field& field, const char* key, std::string& name) {
  TARMAC_TRY(const Field value, field.require(key));
  TARMAC_TRY(name, value.text("the name of an output"));
  return {};
}

Status parse_boxes(const Field& field, DetectionOutputs& outputs) {
  TARMAC_CHECK_OK(field.allow_keys({"boxes", "scores", "classes", "count", "decoder", "min_score"}));
  TARMAC_CHECK_OK(read_name(field, "boxes", outputs.boxes));
  TARMAC_CHECK_OK(read_name(field, "scores", outputs.scores));
  TARMAC_CHECK_OK(read_name(field, "classes", outputs.classes));
  return field.find("count") ? read_name(field, "count", outputs.count) : Status();
}

/// Boxes of such a head are shares of the input's size.
Status find_input_size(const Field& field, const Contract& contract, DetectionOutputs& outputs) {
  const InputSpec* picture = nullptr;
  for (const InputSpec& input : contract.inputs) {
    if (input.layout == Layout::kNone || input.shape.size() != 4) continue;
    if (picture != nullptr)
      return field.error("this decoder is for models with one picture input; the contract has several");
    picture = &input;
  }
  if (picture == nullptr)
    return field.error("this decoder needs a picture input; give an input a layout, NCHW or NHWC");
  const std::size_t first = picture->layout == Layout::kNCHW ? 2 : 1;
  const InputDim& height = picture->shape[first];
  const InputDim& width = picture->shape[first + 1];
  if (!height.fixed() || !width.fixed()) {
    return field.error(
        "this decoder needs the input's height and width as numbers; found symbols in input '" +
        picture->name + "'");
  }
  outputs.input_height = static_cast<int>(height.size);
  outputs.input_width = static_cast<int>(width.size);
  return {};
}

Result<std::vector<double>> read_numbers(const Field& field, std::size_t count, std::string_view expected) {
  TARMAC_TRY(const auto elements, field.elements(expected));
  if (elements.size() != count) return field.wrong(expected);
  std::vector<double> numbers;
  for (const Field& element : elements) {
    TARMAC_TRY(numbers.emplace_back(), element.number());
  }
  return numbers;
}

/// The place and the grain of the map.
Status parse_map(const Field& field, CenterPointOutputs& outputs) {
  TARMAC_TRY(const Field range, field.require("range"));
  TARMAC_TRY(const auto bounds,
             read_numbers(range, 6, "lower x, y, z and upper x, y, z of the map in metres"));
  std::copy(bounds.begin(), bounds.end(), outputs.range.begin());
  for (std::size_t i = 0; i < 3; ++i) {
    if (bounds[i] >= bounds[i + 3])
      return range.error(
          "found a lower bound that is not below its upper one; expected [x, y, z, x, y, z], "
          "first the lower");
  }
  TARMAC_TRY(const Field cell, field.require("cell"));
  TARMAC_TRY(const auto sizes, read_numbers(cell, 2, "the size of a cell along x and y in metres"));
  if (sizes[0] <= 0 || sizes[1] <= 0) return cell.wrong("sizes above 0, in metres");
  std::copy(sizes.begin(), sizes.end(), outputs.cell.begin());
  return {};
}

/// An input whose shape ends as given, 0 being any size.
Status read_input(const Field& view, const char* key, const Contract& contract, DType dtype,
                  const std::vector<std::int64_t>& sizes, const char* expected, std::string& name) {
  TARMAC_TRY(const Field field, view.require(key));
  TARMAC_TRY(name, field.text("the name of an input"));
  const InputSpec* const input = contract.find_input(name);
  if (input == nullptr) {
    std::vector<std::string_view> names;
    for (const InputSpec& one : contract.inputs) names.emplace_back(one.name);
    return field.wrong_word(names);
  }
  bool fits = input->dtype == dtype && input->shape.size() == sizes.size();
  for (std::size_t i = 0; fits && i < sizes.size(); ++i)
    fits = sizes[i] == 0 || !input->shape[i].fixed() || input->shape[i].size == sizes[i];
  return fits ? Status() : field.error("the input '" + name + "' does not fit; expected " + expected);
}

Result<CameraViews> parse_view(const Field& field, const Contract& contract) {
  TARMAC_CHECK_OK(field.allow_keys({"images", "projection"}));
  CameraViews view;
  TARMAC_CHECK_OK(read_input(field, "images", contract, DType::kUint8, {0, 0, 3, 0, 0},
                             "uint8 [batch, cameras, 3, height, width]", view.images));
  TARMAC_CHECK_OK(read_input(field, "projection", contract, DType::kFloat32, {0, 0, 4, 4},
                             "float32 [batch, cameras, 4, 4]", view.projection));
  return view;
}

Status parse_center_point(const Field& field, const Contract& contract, DetectionOutputs& outputs) {
  constexpr int kMostBoxes = 10'000;
  TARMAC_CHECK_OK(field.allow_keys({"decoder", "heatmap", "offset", "height", "size", "rotation", "velocity",
                                    "range", "cell", "max_boxes", "min_score", "min_distance", "view"}));
  if (contract.labels.empty())
    return field.error("the section 'labels' is missing; it names the classes in order");
  CenterPointOutputs& maps = outputs.center_point.emplace();
  TARMAC_CHECK_OK(read_name(field, "heatmap", maps.heatmap));
  TARMAC_CHECK_OK(read_name(field, "offset", maps.offset));
  TARMAC_CHECK_OK(read_name(field, "height", maps.height));
  TARMAC_CHECK_OK(read_name(field, "size", maps.size));
  TARMAC_CHECK_OK(read_name(field, "rotation", maps.rotation));
  if (field.find("velocity")) TARMAC_CHECK_OK(read_name(field, "velocity", maps.velocity));
  TARMAC_CHECK_OK(parse_map(field, maps));
  if (const auto most = field.find("max_boxes")) {
    TARMAC_TRY(maps.max_boxes, most->integer(1, kMostBoxes));
  }
  if (const auto distance = field.find("min_distance")) {
    TARMAC_TRY(maps.min_distance, distance->number());
    if (maps.min_distance < 0) return distance->wrong("a distance in metres, 0 or more");
  }
  if (const auto view = field.find("view")) {
    TARMAC_TRY(outputs.view, parse_view(*view, contract));
  }
  return {};
}

Status parse_head(const Field& field, const Contract& contract, DetectionOutputs& outputs) {
  TARMAC_CHECK_OK(field.allow_keys({"decoder", "head", "min_score", "max_iou"}));
  if (field.find("head")) TARMAC_CHECK_OK(read_name(field, "head", outputs.head));
  if (const auto iou = field.find("max_iou")) {
    TARMAC_TRY(outputs.max_iou, iou->number());
    if (outputs.max_iou < 0 || outputs.max_iou > 1) return iou->wrong("a share from 0 to 1");
  }
  return outputs.decoder == DetectionDecoder::kFastestDet ? find_input_size(field, contract, outputs)
                                                          : Status();
}

Status parse_outputs(const Field& field, const Contract& contract, DetectionOutputs& outputs) {
  switch (outputs.decoder) {
    case DetectionDecoder::kBoxes:
      return parse_boxes(field, outputs);
    case DetectionDecoder::kFastestDet:
    case DetectionDecoder::kYolov8:
      return parse_head(field, contract, outputs);
    case DetectionDecoder::kCenterPoint:
      return parse_center_point(field, contract, outputs);
  }
  return {};
}

}  // namespace

Result<DetectionOutputs> parse_detections(const Field& field, const Contract& contract, double min_score) {
  DetectionOutputs outputs;
  outputs.min_score = min_score;
  if (!field.is_map()) return field.wrong("a map of a detector's outputs");
  if (const auto decoder = field.find("decoder")) {
    TARMAC_TRY(outputs.decoder, decoder->choice(kDecoderWords));
  }
  TARMAC_CHECK_OK(parse_outputs(field, contract, outputs));
  if (const auto score = field.find("min_score")) {
    TARMAC_TRY(outputs.min_score, score->number());
    if (outputs.min_score < 0 || outputs.min_score > 1) return score->wrong("a score from 0 to 1");
  }
  return outputs;
}

}  // namespace tarmac

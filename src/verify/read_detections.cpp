#include "verify/read_detections.h"

#include <cmath>
#include <limits>
#include <optional>

#include "metrics/detection_decoders.h"
#include "tensor/codec.h"

namespace tarmac {
namespace {

constexpr std::size_t kCorners = 4;

/// Outputs of a batch as numbers, row by row.
struct Columns {
  std::size_t samples = 0;
  std::size_t places = 0;  ///< K
  std::vector<double> boxes;
  std::vector<double> scores;
  std::vector<double> classes;
  std::optional<std::vector<double>> counts;
};

Result<std::vector<double>> read(const NamedTensors& outputs, const std::string& name, std::size_t expected,
                                 const std::string& shape) {
  TARMAC_TRY(const Tensor* tensor, find_output(outputs, name));
  if (static_cast<std::size_t>(tensor->count()) != expected) {
    return make_error(
        ErrorCode::kInvalidInput,
        "expected the output '" + name + "' to be " + shape + ", found " + to_string(tensor->shape()), name);
  }
  return to_doubles(*tensor);
}

Result<Columns> read_columns(const NamedTensors& outputs, const DetectionOutputs& names) {
  TARMAC_TRY(const Tensor* boxes, find_output(outputs, names.boxes));
  Shape shape = boxes->shape();
  if (shape.size() == 2) shape.insert(shape.begin(), 1);
  if (shape.size() != 3 || shape[2] != static_cast<std::int64_t>(kCorners)) {
    return make_error(ErrorCode::kInvalidInput,
                      "expected the output '" + names.boxes + "' to be [samples, detections, 4], found " +
                          to_string(boxes->shape()),
                      names.boxes);
  }
  Columns columns;
  columns.samples = static_cast<std::size_t>(shape[0]);
  columns.places = static_cast<std::size_t>(shape[1]);
  const std::size_t rows = columns.samples * columns.places;
  const std::string per_row = "[" + std::to_string(shape[0]) + ", " + std::to_string(shape[1]) + "]";
  TARMAC_TRY(columns.boxes, to_doubles(*boxes));
  TARMAC_TRY(columns.scores, read(outputs, names.scores, rows, per_row));
  TARMAC_TRY(columns.classes, read(outputs, names.classes, rows, per_row));
  if (names.count.empty()) return columns;
  TARMAC_TRY(columns.counts,
             read(outputs, names.count, columns.samples, "[" + std::to_string(shape[0]) + "]"));
  for (const double count : *columns.counts) {
    if (count >= 0 && count <= static_cast<double>(columns.places)) continue;
    return make_error(ErrorCode::kInvalidInput,
                      "found " + std::to_string(count) + " detections in the output '" + names.count +
                          "'; expected 0 to " + std::to_string(columns.places),
                      names.count);
  }
  return columns;
}

Detection detection_at(const Columns& columns, std::size_t row) {
  const double* const corner = columns.boxes.data() + row * kCorners;
  Detection one{{corner[0], corner[1], corner[2], corner[3]}, -1, columns.scores[row]};
  const double label = columns.classes[row];
  constexpr double kMostClasses = 1e9;
  if (std::fabs(label) <= kMostClasses) {
    one.label = std::llround(label);
  } else {
    one.score = std::numeric_limits<double>::quiet_NaN();
  }
  return one;
}

}  // namespace

Result<const Tensor*> find_output(const NamedTensors& outputs, const std::string& name) {
  const auto found = outputs.find(name);
  if (found != outputs.end()) return &found->second;
  return make_error(ErrorCode::kNotFound, "the output '" + name + "' was not given", name);
}

std::vector<std::string> detection_outputs(const DetectionOutputs& names) {
  if (names.center_point) {
    const CenterPointOutputs& maps = *names.center_point;
    std::vector<std::string> outputs = {maps.heatmap, maps.offset, maps.height, maps.size, maps.rotation};
    if (!maps.velocity.empty()) outputs.push_back(maps.velocity);
    return outputs;
  }
  if (names.decoder != DetectionDecoder::kBoxes) return {names.head};
  std::vector<std::string> outputs = {names.boxes, names.scores, names.classes};
  if (!names.count.empty()) outputs.push_back(names.count);
  return outputs;
}

Result<std::vector<std::vector<Detection>>> read_detections(const NamedTensors& outputs,
                                                            const DetectionOutputs& names,
                                                            std::int64_t samples) {
  if (names.decoder != DetectionDecoder::kBoxes) {
    const bool only_one = names.head.empty() && outputs.size() == 1;
    TARMAC_TRY(const Tensor* head, find_output(outputs, only_one ? outputs.begin()->first : names.head));
    return decode_head(*head, names, samples);
  }
  TARMAC_TRY(const Columns columns, read_columns(outputs, names));
  const auto wanted = static_cast<std::size_t>(samples);
  if (columns.samples < wanted) {
    return make_error(ErrorCode::kInvalidInput,
                      "expected the detections of " + std::to_string(samples) + " samples, found those of " +
                          std::to_string(columns.samples),
                      names.boxes);
  }
  std::vector<std::vector<Detection>> detections(wanted);
  for (std::size_t n = 0; n < wanted; ++n) {
    const std::size_t places =
        columns.counts ? static_cast<std::size_t>((*columns.counts)[n]) : columns.places;
    for (std::size_t k = 0; k < places; ++k) {
      const Detection one = detection_at(columns, n * columns.places + k);
      if ((!columns.counts && one.score <= 0) || one.score < names.min_score) continue;
      detections[n].push_back(one);
    }
  }
  return detections;
}

}  // namespace tarmac

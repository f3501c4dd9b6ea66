#include "metrics/detection_decoders.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "tensor/codec.h"

namespace tarmac {
namespace {

constexpr std::int64_t kBoxChannels = 4;

/// One sample of a head: channel c of place k is values[c * places + k].
struct Head {
  std::span<const float> values;
  std::size_t channels = 0;
  std::size_t places = 0;
  std::size_t columns = 0;  ///< of a place in a map; unused where places form none

  [[nodiscard]] double at(std::size_t channel, std::size_t place) const {
    return values[channel * places + place];
  }

  struct Best {
    std::int64_t label = 0;
    double score = 0;
  };
  /// Of the classes, whose channels begin at `first`. NaN never is the best.
  [[nodiscard]] Best best_class(std::size_t first, std::size_t place) const {
    Best best;
    for (std::size_t c = first; c < channels; ++c) {
      if (const double score = at(c, place); score > best.score)
        best = {static_cast<std::int64_t>(c - first), score};
    }
    return best;
  }
};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

Box around(double x, double y, double width, double height) {
  return {x - width / 2, y - height / 2, x + width / 2, y + height / 2};
}

Detection fastestdet_at(const Head& head, std::size_t place, const DetectionOutputs& how) {
  constexpr std::size_t kFirstClass = 1 + kBoxChannels;
  const auto best = head.best_class(kFirstClass, place);
  const double objectness = std::max(head.at(0, place), 0.0);
  const double rows = static_cast<double>(head.places) / static_cast<double>(head.columns);
  const double x = static_cast<double>(place % head.columns) + std::tanh(head.at(1, place));
  const std::size_t row = place / head.columns;
  const double y = static_cast<double>(row) + std::tanh(head.at(2, place));
  return {around(x / static_cast<double>(head.columns) * how.input_width, y / rows * how.input_height,
                 sigmoid(head.at(3, place)) * how.input_width, sigmoid(head.at(4, place)) * how.input_height),
          best.label, std::pow(objectness, 0.6) * std::pow(best.score, 0.4)};
}

Detection yolov8_at(const Head& head, std::size_t place, const DetectionOutputs& /*how*/) {
  const auto best = head.best_class(kBoxChannels, place);
  return {around(head.at(0, place), head.at(1, place), std::max(head.at(2, place), 0.0),
                 std::max(head.at(3, place), 0.0)),
          best.label, best.score};
}

struct Form {
  std::size_t rank = 0;
  std::int64_t least_channels = 0;
  const char* shape = "";
  Detection (*at)(const Head&, std::size_t, const DetectionOutputs&) = nullptr;
};

Result<Form> form_of(DetectionDecoder decoder) {
  switch (decoder) {
    case DetectionDecoder::kFastestDet:
      return Form{4, 1 + kBoxChannels + 1, "[samples, 5 + classes, rows, columns]", fastestdet_at};
    case DetectionDecoder::kYolov8:
      return Form{3, kBoxChannels + 1, "[samples, 4 + classes, places]", yolov8_at};
    case DetectionDecoder::kBoxes:
    case DetectionDecoder::kCenterPoint:
      break;
  }
  return make_error(ErrorCode::kUnsupported, "neither ready boxes nor 3-D ones are such a raw head");
}

bool usable(const Detection& one, double min_score) {
  return one.score >= min_score && one.score > 0 && std::isfinite(one.box.x1) && std::isfinite(one.box.y1) &&
         std::isfinite(one.box.x2) && std::isfinite(one.box.y2);
}

}  // namespace

std::vector<Detection> suppress_overlaps(std::vector<Detection> candidates, double max_iou,
                                         std::size_t most) {
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Detection& a, const Detection& b) { return a.score > b.score; });
  std::vector<Detection> kept;
  for (const Detection& one : candidates) {
    if (kept.size() == most) break;
    const bool covered = std::any_of(kept.begin(), kept.end(), [&](const Detection& better) {
      return better.label == one.label && intersection_over_union(better.box, one.box) > max_iou;
    });
    if (!covered) kept.push_back(one);
  }
  return kept;
}

Result<std::vector<std::vector<Detection>>> decode_head(const Tensor& head, const DetectionOutputs& how,
                                                        std::int64_t samples) {
  TARMAC_TRY(const Form form, form_of(how.decoder));
  const Shape& shape = head.shape();
  if (shape.size() != form.rank || shape[0] < samples || shape[1] < form.least_channels) {
    return make_error(ErrorCode::kInvalidInput, std::string("expected a head of the form ") + form.shape +
                                                    " for " + std::to_string(samples) + " samples, found " +
                                                    to_string(shape));
  }
  TARMAC_TRY(const std::vector<float> values, to_floats(head));
  Head one;
  one.channels = static_cast<std::size_t>(shape[1]);
  one.columns = static_cast<std::size_t>(shape.back());
  one.places = one.columns * (form.rank == 4 ? static_cast<std::size_t>(shape[2]) : 1);
  const std::size_t size = one.channels * one.places;
  std::vector<std::vector<Detection>> detections;
  for (std::int64_t n = 0; n < samples; ++n) {
    one.values = std::span(values).subspan(static_cast<std::size_t>(n) * size, size);
    std::vector<Detection> candidates;
    for (std::size_t place = 0; place < one.places; ++place) {
      if (const Detection found = form.at(one, place, how); usable(found, how.min_score))
        candidates.push_back(found);
    }
    detections.push_back(suppress_overlaps(std::move(candidates), how.max_iou));
  }
  return detections;
}

}  // namespace tarmac

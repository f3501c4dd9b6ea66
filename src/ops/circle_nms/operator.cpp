#include "ops/circle_nms/operator.h"

#include <algorithm>
#include <cmath>

#include "ops/shapes.h"

namespace tarmac::ops {
namespace {

Result<std::vector<Type>> infer(const Attributes& attributes, std::span<const Type> inputs) {
  TARMAC_TRY(const auto settings, circle_nms_kernels::read_settings(attributes));
  TARMAC_TRY(auto types, nms::infer("CircleNms", attributes, inputs));
  const Dim columns = dim_of(inputs[0], 2);
  if (columns.known() && *columns.size < 2) {
    return make_error(ErrorCode::kInvalidInput, "CircleNms: 'boxes' is " + to_string(inputs[0]) +
                                                    ", expected at least 2 columns: x, y");
  }
  const Type& scores = inputs[1];
  const auto given = static_cast<std::int64_t>(settings.squared_radius.size());
  const bool by_class = scores.shape && scores.shape->size() == 3;
  const Dim classes = by_class ? dim_of(scores, 1) : Dim();
  if (given > 1 && classes.known() && *classes.size != given) {
    return make_error(ErrorCode::kInvalidInput,
                      "CircleNms: squared_radius has " + std::to_string(given) +
                          " values, expected one, or one for each class of scores " + to_string(scores));
  }
  return types;
}

}  // namespace

namespace circle_nms_kernels {

Result<Settings> read_settings(const Attributes& attributes) {
  Settings settings;
  TARMAC_TRY(settings.options, nms::read_options("CircleNms", attributes));
  settings.squared_radius = get<std::vector<float>>(attributes, "squared_radius");
  const auto& radii = settings.squared_radius;
  if (radii.empty() || std::any_of(radii.begin(), radii.end(), [](float value) { return !(value >= 0); })) {
    return make_error(ErrorCode::kInvalidInput,
                      "CircleNms: squared_radius must have one value, or one for each class, none below 0");
  }
  if (settings.options.class_agnostic && radii.size() > 1) {
    return make_error(ErrorCode::kInvalidInput, "CircleNms: squared_radius has " +
                                                    std::to_string(radii.size()) +
                                                    " values; with class_agnostic it must have one");
  }
  return settings;
}

bool is_sound_centre(const float* box) { return std::isfinite(box[0]) && std::isfinite(box[1]); }

}  // namespace circle_nms_kernels

const Operator& circle_nms() {
  static const std::string text = nms::doc(
      "A kept box suppresses those whose centre is near: (x − x')² + (y − y')² ≤ squared_radius, computed in "
      "double. As circle_nms of CenterPoint (Yin et al. 2021) and mmdetection3d, whose min_radius is "
      "compared "
      "with the squared distance as well: 4 there means 2 metres. There, all classes of a task suppress each "
      "other: "
      "class_agnostic = 1. Never kept: boxes whose x or y is not finite.");
  static const Operator op = {
      .name = "CircleNms",
      .version = 1,
      .doc = text.c_str(),
      .inputs = nms::inputs("[B, N, 2 or more]: x, y, and columns that are not looked at"),
      .outputs = nms::outputs(),
      .attributes = nms::attribute_specs({{"squared_radius",
                                           "in the square of the boxes' unit: one value, or one for each "
                                           "class; a class without one suppresses "
                                           "nothing",
                                           std::vector<float>{}, true}}),
      .infer = infer,
      .reference = circle_nms_kernels::make_reference,
      .cpu = circle_nms_kernels::make_cpu,
  };
  return op;
}

}  // namespace tarmac::ops

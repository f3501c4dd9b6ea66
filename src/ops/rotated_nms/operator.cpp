#include "ops/rotated_nms/operator.h"

#include "ops/shapes.h"

namespace tarmac::ops {
namespace {

Result<std::vector<Type>> infer(const Attributes& attributes, std::span<const Type> inputs) {
  TARMAC_CHECK_OK(rotated_nms_kernels::read_settings(attributes));
  TARMAC_TRY(auto types, nms::infer("RotatedNms", attributes, inputs));
  const Dim columns = dim_of(inputs[0], 2);
  if (columns.known() && *columns.size != 5 && *columns.size < 7) {
    return make_error(ErrorCode::kInvalidInput, "RotatedNms: 'boxes' is " + to_string(inputs[0]) +
                                                    ", expected 5 columns (x, y, dx, dy, yaw) or at least 7 "
                                                    "(x, y, z, dx, dy, dz, yaw)");
  }
  return types;
}

}  // namespace

namespace rotated_nms_kernels {

Result<Settings> read_settings(const Attributes& attributes) {
  Settings settings;
  TARMAC_TRY(settings.options, nms::read_options("RotatedNms", attributes));
  settings.iou_threshold = get<float>(attributes, "iou_threshold");
  if (!(settings.iou_threshold >= 0 && settings.iou_threshold <= 1))
    return make_error(ErrorCode::kInvalidInput, "RotatedNms: iou_threshold is " +
                                                    std::to_string(settings.iou_threshold) +
                                                    ", expected a number from 0 to 1");
  return settings;
}

RotatedBox box_at(const nms::Problem& problem, std::int64_t b, std::int64_t n) {
  const float* const box = problem.box(b, n);
  if (problem.columns() == 5) return {box[0], box[1], box[2], box[3], box[4]};
  return {box[0], box[1], box[3], box[4], box[6]};
}

}  // namespace rotated_nms_kernels

const Operator& rotated_nms() {
  static const std::string text = nms::doc(
      "A kept box suppresses those whose IoU with it is above iou_threshold: IoU = overlap / (area + area' - "
      "overlap) of the exact rectangles seen from above, computed in double. yaw in radians turns x towards "
      "y, "
      "dx is measured along the turned x axis. As nms_rotated of mmcv (clockwise=True where y points down), "
      "nms_bev of mmdetection3d, and nms_gpu of OpenPCDet. Never kept: boxes with "
      "a "
      "number that is not finite or with dx or dy not above 0.");
  static const Operator op = {
      .name = "RotatedNms",
      .version = 1,
      .doc = text.c_str(),
      .inputs = nms::inputs("[B, N, 5]: x, y, dx, dy, yaw; or [B, N, 7 or more]: x, y, z, dx, dy, dz, yaw, "
                            "and columns that are not looked at"),
      .outputs = nms::outputs(),
      .attributes = nms::attribute_specs({{"iou_threshold", "suppressed above it, 0 to 1", 0.5F, true}}),
      .infer = infer,
      .reference = rotated_nms_kernels::make_reference,
      .cpu = rotated_nms_kernels::make_cpu,
  };
  return op;
}

}  // namespace tarmac::ops

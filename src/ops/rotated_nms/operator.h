// Non-maximum suppression of turned boxes by their overlap seen from above.
#pragma once

#include "ops/nms.h"
#include "ops/rotated_box.h"

namespace tarmac::ops {

const Operator& rotated_nms();

namespace rotated_nms_kernels {

struct Settings {
  nms::Options options;
  float iou_threshold = 0;
};
Result<Settings> read_settings(const Attributes& attributes);

/// The box seen from above: of 5 columns (x, y, dx, dy, yaw), of more (x, y, z, dx, dy, dz, yaw, …).
RotatedBox box_at(const nms::Problem& problem, std::int64_t b, std::int64_t n);

Result<std::unique_ptr<Kernel>> make_reference(const Attributes& attributes);
Result<std::unique_ptr<Kernel>> make_cpu(const Attributes& attributes);

}  // namespace rotated_nms_kernels
}  // namespace tarmac::ops

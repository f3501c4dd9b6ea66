#include "ops/registry.h"

#include "ops/bev_pool/operator.h"
#include "ops/box_decode_3d/operator.h"
#include "ops/camera_preprocess/operator.h"
#include "ops/circle_nms/operator.h"
#include "ops/deform_conv2d/operator.h"
#include "ops/grid_sample/operator.h"
#include "ops/multi_scale_deformable_attention/operator.h"
#include "ops/pillar_scatter/operator.h"
#include "ops/rotated_nms/operator.h"
#include "ops/voxelize/operator.h"

namespace tarmac::ops {

const std::vector<const Operator*>& all_operators() {
  static const std::vector<const Operator*> operators = {
      &bev_pool(),
      &box_decode_3d(),
      &camera_preprocess(),
      &circle_nms(),
      &deform_conv2d(),
      &grid_sample(),
      &multi_scale_deformable_attention(),
      &pillar_scatter(),
      &rotated_nms(),
      &voxelize(),
  };
  return operators;
}

const Operator* find_operator(std::string_view domain, std::string_view name, std::int64_t version) {
  if (domain != kDomain) return nullptr;
  const Operator* newest = nullptr;
  for (const Operator* op : all_operators()) {
    if (op->name == name && op->version <= version && (newest == nullptr || op->version > newest->version))
      newest = op;
  }
  return newest;
}

}  // namespace tarmac::ops

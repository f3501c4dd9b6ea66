// Points of a lidar into voxels.
#pragma once

#include "ops/operator.h"

namespace tarmac::ops {

const Operator& voxelize();

namespace voxel {

Result<std::unique_ptr<Kernel>> make_reference(const Attributes& attributes);
Result<std::unique_ptr<Kernel>> make_cpu(const Attributes& attributes);

}  // namespace voxel
}  // namespace tarmac::ops

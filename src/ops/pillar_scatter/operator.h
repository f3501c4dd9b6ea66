// PointPillars: features of pillars into a bird's-eye-view map.
#pragma once

#include "ops/operator.h"

namespace tarmac::ops {

const Operator& pillar_scatter();

namespace pillar {

Result<std::unique_ptr<Kernel>> make_reference(const Attributes& attributes);
Result<std::unique_ptr<Kernel>> make_cpu(const Attributes& attributes);

}  // namespace pillar
}  // namespace tarmac::ops

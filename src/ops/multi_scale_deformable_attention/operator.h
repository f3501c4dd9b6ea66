// Multi-scale deformable attention: each query reads a few points of a pyramid of feature maps.
#pragma once

#include "ops/operator.h"

namespace tarmac::ops {

const Operator& multi_scale_deformable_attention();

namespace msda {

Result<std::unique_ptr<Kernel>> make_reference(const Attributes& attributes);
Result<std::unique_ptr<Kernel>> make_cpu(const Attributes& attributes);

}  // namespace msda
}  // namespace tarmac::ops

// Pooling of lifted camera features into a bird's-eye-view grid.
#pragma once

#include "ops/operator.h"

namespace tarmac::ops {

const Operator& bev_pool();

namespace bev {

Result<std::unique_ptr<Kernel>> make_reference(const Attributes& attributes);
Result<std::unique_ptr<Kernel>> make_cpu(const Attributes& attributes);

}  // namespace bev
}  // namespace tarmac::ops

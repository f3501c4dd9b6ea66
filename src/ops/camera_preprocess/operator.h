// Camera frames into a model's input, inside the model.
#pragma once

#include "ops/operator.h"

namespace tarmac::ops {

const Operator& camera_preprocess();

namespace camera {

Result<std::unique_ptr<Kernel>> make_reference(const Attributes& attributes);
Result<std::unique_ptr<Kernel>> make_cpu(const Attributes& attributes);

}  // namespace camera
}  // namespace tarmac::ops

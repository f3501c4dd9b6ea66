// What TensorRT's parser accepts but does not compute as ONNX says.
#pragma once

#include <span>

#include "targets/common/known_issues.h"

namespace tarmac::tensorrt {

std::span<const KnownIssue> known_issues();

}  // namespace tarmac::tensorrt

// Limits of single operators in TensorRT's parser.
#pragma once

#include <span>

#include "targets/common/known_issues.h"

namespace tarmac::tensorrt {

/// Rows of the table; several may name one operator.
std::span<const KnownIssue> limits();

}  // namespace tarmac::tensorrt

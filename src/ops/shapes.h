// Checks and sizes that the operators' shape inference shares. Unknown ranks and sizes pass.
#pragma once

#include <vector>

#include "graph/type.h"
#include "tarmac/result.h"

namespace tarmac::ops {

/// The size of `axis`; unknown when the rank is unknown or too small.
Dim dim_of(const Type& type, std::size_t axis);

/// kInvalidInput unless the rank is unknown or `rank`.
Status check_rank(const char* op, const char* input, const Type& type, std::size_t rank);

/// kInvalidInput unless each size that is known on both sides is the same.
Status check_shape(const char* op, const char* input, const Type& type, const std::vector<Dim>& expected);

/// The known one of two sizes that must agree; kInvalidInput when they do not.
Result<Dim> same_size(const char* op, const char* what, const Dim& a, const Dim& b);

}  // namespace tarmac::ops

// Every driving operator.
#pragma once

#include <string_view>
#include <vector>

#include "ops/operator.h"

namespace tarmac::ops {

/// In alphabetical order.
const std::vector<const Operator*>& all_operators();

/// The operator that a node of this domain and name means in `version` of the domain; null when there is
/// none.
const Operator* find_operator(std::string_view domain, std::string_view name,
                              std::int64_t version = kDomainVersion);

/// Makes the operators known to onnx's checker and shape inference. Done once; cheap when repeated.
/// Thread-safe.
void register_schemas();

}  // namespace tarmac::ops

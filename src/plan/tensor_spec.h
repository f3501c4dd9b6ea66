// Graph types as the public TensorSpec.
#pragma once

#include <string>

#include "graph/type.h"
#include "tarmac/model.h"

namespace tarmac {

TensorSpec tensor_spec(const std::string& name, const Type& type);

/// The type of a spec that is a tensor.
Type type_of(const TensorSpec& spec);

/// The words of TensorSpec::type for a tensor: "float32[batch, 3, ?]".
std::string describe_tensor(DType dtype, const std::optional<std::vector<TensorDim>>& shape);

}  // namespace tarmac

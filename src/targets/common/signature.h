// What callers feed and read: the model's inputs and outputs, and checks of tensors against them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "targets/target.h"

namespace tarmac {

struct ModelSignature {
  std::vector<TensorInfo> inputs;  ///< those without a stored default
  std::vector<TensorInfo> outputs;
};

/// The main graph's inputs and outputs. Errors: kUnsupported when one is not a tensor (names it and its
/// type).
Result<ModelSignature> model_signature(const Model& model);

/// Index of `name`. kNotFound lists the names there are; `what` is "input" or "output".
Result<std::size_t> find_tensor(const std::vector<TensorInfo>& infos, const std::string& name,
                                const char* what);

/// kInvalidInput when dtype, rank or a fixed size differ from the model's type; says both.
Status check_tensor(const TensorInfo& info, const Tensor& tensor);

}  // namespace tarmac

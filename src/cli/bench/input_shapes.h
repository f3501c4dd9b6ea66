// Shapes and value ranges of inputs that a benchmark makes up.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "runtime/inputs.h"
#include "tarmac/session.h"

namespace tarmac::cli {

/// As the engines' targets describe an input.
TensorInfo tensor_info(const TensorSpec& spec);

/// OK when every input's first size is open or is `batch`; 0 asks for nothing. Errors: kUsage (names the
/// input and its size).
Status check_batch(const std::vector<TensorSpec>& inputs, std::int64_t batch);

/// `texts` ("NAME:1x3x224x224"), then what the plan (or null) is made for, both before what the model says;
/// `batch`, unless 0, as the first size where `texts` say nothing. Errors: kUsage, as parse_named_shape().
Result<ShapeChoice> choose_shapes(const std::vector<std::string>& texts,
                                  const std::vector<TensorInfo>& inputs, const PlanInfo* plan,
                                  std::int64_t batch);

/// index_ranges() of the file's model; it is only read where an input holds integers. Errors: of loading it.
Result<std::map<std::string, ValueRange>> ranges_of_indices(const std::string& model,
                                                            const std::vector<TensorInfo>& inputs);

}  // namespace tarmac::cli

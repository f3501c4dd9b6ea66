// Samples of tensors that lie in files of their own.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tarmac/contract.h"
#include "tarmac/tensor.h"

namespace tarmac {

/// One sample: an .npy for a model with one input, otherwise an .npz with an array for each. Arrays have the
/// input's type and shape with a first axis of 1, which they may leave out; `whole` ones have the first axis
/// as it is. Mapped from the file where it can be. Errors: as read_npy(); kInvalidInput (says what was found
/// and expected).
Result<std::map<std::string, Tensor>> load_tensor_file(const std::vector<InputSpec>& inputs,
                                                       const std::filesystem::path& file, bool whole);

/// Whether `file` holds a whole input, whose first axis is no batch but a number above 1, such as cameras.
/// Errors: as read_npy().
Result<bool> holds_whole_input(const std::vector<InputSpec>& inputs, const std::filesystem::path& file);

}  // namespace tarmac

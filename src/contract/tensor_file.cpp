#include "contract/tensor_file.h"

#include "contract/describe.h"
#include "tensor/io.h"

namespace tarmac {
namespace {

using Arrays = std::map<std::string, Tensor>;

Result<Arrays> read_arrays(const std::vector<InputSpec>& inputs, const std::filesystem::path& file) {
  if (inputs.size() != 1) return read_npz(file);
  TARMAC_TRY(Tensor array, read_npy(file));
  return Arrays{{inputs[0].name, std::move(array)}};
}

bool fits(const InputSpec& input, const Tensor& array, bool whole) {
  if (array.dtype() != input.dtype || array.count() == 0) return false;
  for (std::size_t i = 0; i < input.shape.size(); ++i) {
    const std::int64_t found = array.shape()[i];
    if (i == 0 && !whole ? found != 1 : input.shape[i].fixed() && found != input.shape[i].size) return false;
  }
  return true;
}

/// The array of one input as a run takes it.
Result<Tensor> sample_of(const InputSpec& input, const Arrays& arrays, bool whole,
                         const std::filesystem::path& file) {
  const auto found = arrays.find(input.name);
  if (found == arrays.end()) {
    return make_error(ErrorCode::kInvalidInput, "found no array for input '" + input.name + "'", {},
                      file.string());
  }
  Tensor array = found->second;
  if (!whole && array.shape().size() + 1 == input.shape.size()) {
    Shape shape = array.shape();
    shape.insert(shape.begin(), 1);
    TARMAC_TRY(array, array.reshaped(std::move(shape)));
  }
  if (array.shape().size() == input.shape.size() && fits(input, array, whole)) return array;
  return make_error(ErrorCode::kInvalidInput,
                    "the array for input '" + input.name + "' is " + to_string(found->second.dtype()) + " " +
                        to_string(found->second.shape()) + "; expected one sample, " +
                        to_string(input.dtype) + " " + describe_shape(input.shape) +
                        (whole ? "" : " with a first axis of 1, or without it"),
                    {}, file.string());
}

}  // namespace

Result<std::map<std::string, Tensor>> load_tensor_file(const std::vector<InputSpec>& inputs,
                                                       const std::filesystem::path& file, bool whole) {
  TARMAC_TRY(const Arrays arrays, read_arrays(inputs, file));
  Arrays sample;
  for (const InputSpec& input : inputs) {
    TARMAC_TRY(sample[input.name], sample_of(input, arrays, whole, file));
  }
  return sample;
}

Result<bool> holds_whole_input(const std::vector<InputSpec>& inputs, const std::filesystem::path& file) {
  const InputSpec& input = inputs.front();
  if (input.shape.empty() || !input.shape[0].fixed() || input.shape[0].size == 1) return false;
  TARMAC_TRY(const Arrays arrays, read_arrays(inputs, file));
  const auto found = arrays.find(input.name);
  return found != arrays.end() && found->second.shape().size() == input.shape.size() &&
         found->second.shape()[0] == input.shape[0].size;
}

}  // namespace tarmac

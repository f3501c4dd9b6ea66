#include "runtime/warm_up.h"

#include <algorithm>
#include <map>

namespace tarmac {
namespace {

Result<Tensor> zeros(DType dtype, const Shape& shape) {
  if (dtype == DType::kString) {
    TARMAC_TRY(const std::int64_t count, element_count(shape));
    return Tensor::of_strings(shape, std::vector<std::string>(static_cast<std::size_t>(count)));
  }
  TARMAC_TRY(Tensor tensor, Tensor::allocate(dtype, shape));
  const auto bytes = tensor.mutable_bytes();
  std::fill(bytes.begin(), bytes.end(), std::byte{0});
  return tensor;
}

using Sizes = std::map<std::string, std::int64_t>;

/// Sizes of symbols, as the shapes that a bucket names have them.
Sizes sizes_in(const std::vector<TensorInfo>& inputs, const InputShapes& bucket) {
  Sizes sizes;
  for (const TensorInfo& input : inputs) {
    const auto named = bucket.find(input.name);
    if (named == bucket.end() || !input.type.shape) continue;
    for (std::size_t i = 0; i < std::min(named->second.size(), input.type.shape->size()); ++i) {
      sizes.emplace((*input.type.shape)[i].symbol, named->second[i]);
    }
  }
  sizes.erase("");
  return sizes;
}

Shape shape_of(const TensorInfo& input, const InputShapes& bucket, const Sizes& sizes) {
  if (const auto named = bucket.find(input.name); named != bucket.end()) return named->second;
  Shape shape;
  for (std::size_t i = 0; input.type.shape && i < input.type.shape->size(); ++i) {
    const Dim& dim = (*input.type.shape)[i];
    const auto known = sizes.find(dim.symbol);
    shape.push_back(dim.known() ? *dim.size : known != sizes.end() ? known->second : 1);
  }
  return shape;
}

Status run_bucket(Context& context, const std::vector<TensorInfo>& inputs, const InputShapes& bucket) {
  const Sizes sizes = sizes_in(inputs, bucket);
  for (const TensorInfo& input : inputs) {
    TARMAC_TRY(const Tensor tensor, zeros(input.type.dtype, shape_of(input, bucket, sizes)));
    TARMAC_CHECK_OK(context.set_input(input.name, tensor));
  }
  return context.run();
}

std::string describe(const InputShapes& bucket) {
  std::string text = "making the bucket ready:";
  for (const auto& [input, shape] : bucket) text += " '" + input + "' " + to_string(shape);
  return text;
}

}  // namespace

Status warm_up(Context& context, const std::vector<TensorInfo>& inputs,
               const std::vector<PlanProfile>& profiles, const InputShapes& state) {
  for (const PlanProfile& profile : profiles) {
    for (InputShapes bucket : profile.buckets) {
      bucket.insert(state.begin(), state.end());
      if (auto status = run_bucket(context, inputs, bucket); !status) {
        if (status.error().context.empty()) status.error().context = describe(bucket);
        return status;
      }
    }
  }
  context.unbind_inputs();
  return {};
}

}  // namespace tarmac

#include "runtime/inputs.h"

#include <random>

#include "tensor/codec.h"

namespace tarmac {
namespace {

struct Range {
  std::int64_t first;
  std::int64_t count;
};

Range integer_range(DType dtype) {
  if (dtype == DType::kUint8) return {0, 256};
  if (dtype == DType::kInt8) return {-128, 256};
  return {0, 2};
}

/// Dimension by dimension: fills `symbols` from a chosen shape, and checks it.
Status bind_symbols(const TensorInfo& info, const Shape& shape,
                    std::map<std::string, std::int64_t>& symbols) {
  const Error contradicts = make_error(ErrorCode::kInvalidInput,
                                       "shape " + to_string(shape) + " was chosen for input '" + info.name +
                                           "' of type " + to_string(info.type),
                                       info.name);
  if (!info.type.shape) return {};
  if (info.type.shape->size() != shape.size()) return contradicts;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const Dim& dim = (*info.type.shape)[i];
    if (shape[i] < 0 || (dim.known() && *dim.size != shape[i])) return contradicts;
    if (dim.known() || dim.symbol.empty()) continue;
    const auto [bound, is_new] = symbols.emplace(dim.symbol, shape[i]);
    if (!is_new && bound->second != shape[i]) {
      return make_error(ErrorCode::kInvalidInput,
                        "input '" + info.name + "' was given " + to_string(shape) + ", but '" + dim.symbol +
                            "' is " + std::to_string(bound->second) + " elsewhere",
                        info.name);
    }
  }
  return {};
}

}  // namespace

Result<Tensor> random_tensor(DType dtype, const Shape& shape, std::uint64_t seed) {
  // Drawn by hand: the distributions of <random> differ between standard libraries.
  std::mt19937_64 random(seed);
  if (dtype == DType::kString) {
    TARMAC_TRY(const std::int64_t count, element_count(shape));
    return Tensor::of_strings(shape, std::vector<std::string>(static_cast<std::size_t>(count)));
  }
  if (dtype == DType::kFloat32) {
    TARMAC_TRY(Tensor tensor, Tensor::allocate(dtype, shape));
    for (float& value : tensor.mutable_data<float>()) value = static_cast<float>(random() >> 40U) * 0x1p-24F;
    return tensor;
  }
  TARMAC_TRY(const std::int64_t count, element_count(shape));
  TARMAC_TRY(const std::size_t bytes, size_bytes(DType::kFloat64, shape));
  if (bytes > std::size_t{16} << 30U) {
    return make_error(ErrorCode::kResourceExhausted,
                      "a made-up input of shape " + to_string(shape) + " is too large");
  }
  std::vector<double> values(static_cast<std::size_t>(count));
  const Range range = integer_range(dtype);
  for (double& value : values) {
    const std::uint64_t bits = random() >> 32U;
    value = is_floating_point(dtype)
                ? static_cast<double>(bits) * 0x1p-32
                : static_cast<double>(range.first + static_cast<std::int64_t>(bits % range.count));
  }
  return from_doubles(dtype, shape, values);
}

Result<std::map<std::string, Shape>> resolve_shapes(std::span<const TensorInfo> inputs,
                                                    const ShapeChoice& choice) {
  std::string names;
  for (const TensorInfo& info : inputs) names += (names.empty() ? "" : ", ") + info.name;
  for (const auto& [name, shape] : choice.shapes) {
    bool known = false;
    for (const TensorInfo& info : inputs) known = known || info.name == name;
    if (!known) {
      return make_error(ErrorCode::kNotFound,
                        "a shape was chosen for '" + name + "'; the model's inputs are: " + names, name);
    }
  }
  std::map<std::string, std::int64_t> symbols = choice.symbols;
  for (const TensorInfo& info : inputs) {
    const auto chosen = choice.shapes.find(info.name);
    if (chosen != choice.shapes.end()) TARMAC_CHECK_OK(bind_symbols(info, chosen->second, symbols));
  }
  std::map<std::string, Shape> shapes = choice.shapes;
  for (const TensorInfo& info : inputs) {
    if (shapes.contains(info.name)) continue;
    if (!info.type.shape) {
      return make_error(
          ErrorCode::kInvalidInput,
          "input '" + info.name + "' has no declared rank; give its shape (--shape " + info.name + ":…)",
          info.name);
    }
    Shape& shape = shapes[info.name];
    for (const Dim& dim : *info.type.shape) {
      const auto bound = symbols.find(dim.symbol);
      shape.push_back(dim.known()                                    ? *dim.size
                      : dim.symbol.empty() || bound == symbols.end() ? 1
                                                                     : bound->second);
    }
  }
  return shapes;
}

Result<std::map<std::string, Tensor>> random_inputs(std::span<const TensorInfo> inputs,
                                                    const ShapeChoice& choice, std::uint64_t seed) {
  TARMAC_TRY(const auto shapes, resolve_shapes(inputs, choice));
  std::map<std::string, Tensor> tensors;
  for (const TensorInfo& info : inputs) {
    TARMAC_TRY(tensors[info.name], random_tensor(info.type.dtype, shapes.at(info.name), seed++));
  }
  return tensors;
}

Status bind_inputs(Context& context, const std::map<std::string, Tensor>& tensors) {
  for (const auto& [name, tensor] : tensors) TARMAC_CHECK_OK(context.set_input(name, tensor));
  return {};
}

}  // namespace tarmac

#include "runtime/inputs.h"

#include <algorithm>
#include <array>
#include <limits>
#include <random>
#include <set>

#include "tensor/codec.h"

namespace tarmac {
namespace {

struct Range {
  std::int64_t first;
  std::int64_t count;
};

Range integer_range(DType dtype, const std::optional<ValueRange>& range) {
  if (range && dtype != DType::kBool) {
    const auto first = static_cast<std::int64_t>(range->first);
    return {first, std::max<std::int64_t>(static_cast<std::int64_t>(range->last) - first + 1, 1)};
  }
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

/// How many indices `use` may pick from; nullopt where it picks nothing or the number is not known.
std::optional<std::int64_t> choices(const Use& use) {
  const Node& node = *use.node;
  if (!node.domain.empty()) return std::nullopt;
  if (node.op_type == "OneHot" && use.index == 0) {
    const Tensor* depth = constant_of(node.input(1));
    const auto values = depth == nullptr ? Result<std::vector<std::int64_t>>(Error()) : to_int64s(*depth);
    if (values && values->size() == 1) return values->front();
    return std::nullopt;
  }
  const bool gathers = (node.op_type == "Gather" || node.op_type == "GatherElements") && use.index == 1;
  if (!gathers || node.input(0) == nullptr) return std::nullopt;
  const Tensor* table = constant_of(node.input(0));
  const std::int64_t axis = node.attribute_or<std::int64_t>("axis", 0);
  const auto at = [&](std::size_t rank) {
    return static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(rank) : axis);
  };
  if (table != nullptr) {
    const std::size_t rank = table->shape().size();
    return at(rank) < rank ? std::optional(table->shape()[at(rank)]) : std::nullopt;
  }
  const auto& shape = node.input(0)->type.shape;
  return shape && at(shape->size()) < shape->size() ? (*shape)[at(shape->size())].size : std::nullopt;
}

constexpr std::array<const char*, 8> kKeepNumbers = {"Cast",      "Identity",  "Reshape", "Squeeze",
                                                     "Unsqueeze", "Transpose", "Flatten", "Expand"};

/// The fewest choices that any reader of `value` has.
std::int64_t fewest_choices(const Value& start) {
  std::int64_t fewest = std::numeric_limits<std::int64_t>::max();
  std::set<const Value*> seen = {&start};
  std::vector<const Value*> open = {&start};
  while (!open.empty()) {
    const Value* value = open.back();
    open.pop_back();
    for (const Use& use : value->uses()) {
      if (const auto count = choices(use)) fewest = std::min(fewest, *count);
      const bool keeps =
          use.node->domain.empty() && use.index == 0 &&
          std::find(kKeepNumbers.begin(), kKeepNumbers.end(), use.node->op_type) != kKeepNumbers.end();
      const Value* output = keeps ? use.node->output(0) : nullptr;
      if (output != nullptr && seen.insert(output).second) open.push_back(output);
    }
  }
  return fewest;
}

}  // namespace

std::map<std::string, ValueRange> index_ranges(const Model& model) {
  std::map<std::string, ValueRange> ranges;
  for (const Value* input : model.graph->inputs()) {
    if (!input->type.is_tensor() || !is_integer(input->type.dtype)) continue;
    const std::int64_t count = fewest_choices(*input);
    if (count >= 1 && count < std::numeric_limits<std::int64_t>::max())
      ranges[input->name()] = {0, static_cast<double>(count - 1)};
  }
  return ranges;
}

Result<Tensor> random_tensor(DType dtype, const Shape& shape, std::uint64_t seed,
                             const std::optional<ValueRange>& chosen) {
  // Drawn by hand: the distributions of <random> differ between standard libraries.
  std::mt19937_64 random(seed);
  if (dtype == DType::kString) {
    TARMAC_TRY(const std::int64_t count, element_count(shape));
    return Tensor::of_strings(shape, std::vector<std::string>(static_cast<std::size_t>(count)));
  }
  const ValueRange reals = chosen.value_or(ValueRange());
  if (dtype == DType::kFloat32) {
    TARMAC_TRY(Tensor tensor, Tensor::allocate(dtype, shape));
    const auto first = static_cast<float>(reals.first);
    const auto width = static_cast<float>(reals.last - reals.first);
    for (float& value : tensor.mutable_data<float>())
      value = first + width * (static_cast<float>(random() >> 40U) * 0x1p-24F);
    return tensor;
  }
  TARMAC_TRY(const std::int64_t count, element_count(shape));
  TARMAC_TRY(const std::size_t bytes, size_bytes(DType::kFloat64, shape));
  if (bytes > std::size_t{16} << 30U) {
    return make_error(ErrorCode::kResourceExhausted,
                      "a made-up input of shape " + to_string(shape) + " is too large");
  }
  std::vector<double> values(static_cast<std::size_t>(count));
  const Range range = integer_range(dtype, chosen);
  for (double& value : values) {
    const std::uint64_t bits = random() >> 32U;
    value = is_floating_point(dtype)
                ? reals.first + (reals.last - reals.first) * (static_cast<double>(bits) * 0x1p-32)
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
                                                    const ShapeChoice& choice, std::uint64_t seed,
                                                    const std::map<std::string, ValueRange>& ranges) {
  TARMAC_TRY(const auto shapes, resolve_shapes(inputs, choice));
  std::map<std::string, Tensor> tensors;
  for (const TensorInfo& info : inputs) {
    const auto range = ranges.find(info.name);
    TARMAC_TRY(tensors[info.name],
               random_tensor(info.type.dtype, shapes.at(info.name), seed++,
                             range == ranges.end() ? std::nullopt : std::optional(range->second)));
  }
  return tensors;
}

Status bind_inputs(Context& context, const std::map<std::string, Tensor>& tensors) {
  for (const auto& [name, tensor] : tensors) TARMAC_CHECK_OK(context.set_input(name, tensor));
  return {};
}

}  // namespace tarmac

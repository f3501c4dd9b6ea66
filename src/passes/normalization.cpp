#include "passes/normalization.h"

#include <algorithm>
#include <cmath>

#include "tensor/codec.h"

namespace tarmac {
namespace {

/// The input of a cast between float types to a wider one.
Value* narrower(const Value* value) {
  if (value == nullptr) return nullptr;
  const Node* cast = value->producer();
  if (cast == nullptr || !cast->is("Cast") || cast->input(0) == nullptr) return nullptr;
  const DType from = cast->input(0)->type.dtype;
  const DType to = value->type.dtype;
  const bool widens = is_floating_point(from) && is_floating_point(to) && bit_width(from) < bit_width(to);
  return widens ? cast->input(0) : nullptr;
}

/// The sizes of the trailing axes that are averaged over; an empty shape when they are not all known.
Shape normalized_sizes(const Type& type, std::size_t count) {
  Shape sizes;
  const auto& dims = *type.shape;
  for (std::size_t i = dims.size() - count; i < dims.size(); ++i) {
    if (!dims[i].known() || *dims[i].size <= 0) return {};
    sizes.push_back(*dims[i].size);
  }
  return sizes;
}

/// Whether scale or bias is exactly one number for each normalised element, after leading axes of size 1 that
/// only a constant may have, and does not add axes to x.
bool fits(const Value& parameter, const Shape& sizes, const Type& x) {
  const auto shape = parameter.type.static_shape();
  const Tensor* tensor = constant_of(&parameter);
  const DType dtype = tensor != nullptr ? tensor->dtype() : parameter.type.dtype;
  if (dtype != x.dtype) return false;
  if (tensor == nullptr) return shape && *shape == sizes;
  const Shape& stored = tensor->shape();
  if (stored.size() < sizes.size() || stored.size() > x.shape->size()) return false;
  const auto extra = static_cast<std::ptrdiff_t>(stored.size() - sizes.size());
  return std::all_of(stored.begin(), stored.begin() + extra, [](auto size) { return size == 1; }) &&
         std::equal(stored.begin() + extra, stored.end(), sizes.begin(), sizes.end());
}

/// The parameter with the normalised axes only.
Result<Value*> fitted(Graph& graph, Value& parameter, const Shape& sizes) {
  const Tensor* tensor = constant_of(&parameter);
  if (tensor == nullptr || tensor->shape() == sizes) return &parameter;
  TARMAC_TRY(Tensor reshaped, tensor->reshaped(sizes));
  return &graph.add_initializer(graph.fresh_name(parameter.name() + "_flat"), std::move(reshaped));
}

std::size_t count_of(const Shape& sizes) {
  std::size_t count = 1;
  for (const auto size : sizes) count *= static_cast<std::size_t>(size);
  return count;
}

/// Empty, or why the form cannot become the operator.
std::string obstacle(const Normalization& found, std::size_t axes, const PassContext& context) {
  const Type& type = found.x->type;
  if (axes == 0) return "it normalises over other axes than the last ones";
  if (!is_float_up_to_32(type))
    return std::string(found.op_type) + " computes in float32, the model in " + to_string(type.dtype);
  const Shape sizes = normalized_sizes(type, axes);
  if (sizes.empty()) return "the sizes of the normalised axes are not known; fix the input's shape";
  if (found.scale == nullptr &&
      count_of(sizes) * static_cast<std::size_t>(bit_width(type.dtype)) / 8 > context.max_folded_growth_bytes)
    return "it would need a scale of ones as large as the normalised axes";
  return {};
}

/// How many trailing axes the mean runs over; 0 when it is over others or not known.
std::size_t trailing_axes(const Node& mean, const Type& x) {
  const auto axes = reduced_axes(mean);
  if (!axes || axes->empty() || !x.shape) return 0;
  const auto rank = static_cast<std::int64_t>(x.shape->size());
  const bool trailing =
      axes->back() == rank - 1 && axes->back() - axes->front() + 1 == static_cast<std::int64_t>(axes->size());
  return trailing ? axes->size() : 0;
}

/// What is squared, by Pow or by Mul with itself; null for others.
Value* take_square(Value* value, Region& region) {
  value = region.take_casts(value);
  if (const Node* pow = region.take(value, "Pow"))
    return scalar_beside(pow->input(1), pow->input(0)) == 2.0 ? pow->input(0) : nullptr;
  const Node* mul = region.take(value, "Mul");
  return mul != nullptr && mul->input(0) == mul->input(1) ? mul->input(0) : nullptr;
}

}  // namespace

const Value* before_widening(const Value* value) {
  while (const Value* before = narrower(value)) value = before;
  return value;
}

Value* widened_from(Value* value, DType dtype) {
  while (value != nullptr && value->type.dtype != dtype) value = narrower(value);
  return value;
}

Node* take_mean(Value* value, Region& region) {
  Node* mean = region.take(region.take_casts(value), "ReduceMean");
  return mean != nullptr && mean->attribute_or<std::int64_t>("keepdims", 1) == 1 ? mean : nullptr;
}

std::optional<std::vector<std::int64_t>> reduced_axes(const Node& reduce) {
  const auto rank = rank_of(reduce.input(0));
  if (!rank) return std::nullopt;
  std::vector<std::int64_t> axes;
  if (reduce.attributes.contains("axes") || reduce.input(1) != nullptr) {
    auto given = constant_integers(reduce, "axes", 1);
    if (!given) return std::nullopt;
    axes = *std::move(given);
  }
  if (axes.empty()) {
    if (reduce.attribute_or<std::int64_t>("noop_with_empty_axes", 0) != 0) return std::nullopt;
    for (std::size_t i = 0; i < *rank; ++i) axes.push_back(static_cast<std::int64_t>(i));
  }
  auto positive = positive_axes(std::move(axes), *rank);
  if (positive) std::sort(positive->begin(), positive->end());
  return positive;
}

std::optional<MeanSquare> take_root(Value* value, bool reciprocal, Region& region) {
  const std::size_t before = region.mark();
  value = region.take_casts(value);
  Value* sum = nullptr;
  if (const Node* pow = region.take(value, "Pow")) {
    if (scalar_beside(pow->input(1), pow->input(0)) == (reciprocal ? -0.5 : 0.5)) sum = pow->input(0);
  } else if (reciprocal) {
    Value* root = nullptr;
    if (const Node* inverse = region.take(value, "Reciprocal")) {
      root = inverse->input(0);
    } else if (const Node* div = region.take(value, "Div")) {
      if (scalar_beside(div->input(0), div->input(1)) == 1.0) root = div->input(1);
    }
    if (root != nullptr) {
      if (auto found = take_root(root, false, region)) return found;
    }
  } else if (const Node* sqrt = region.take(value, "Sqrt")) {
    sum = sqrt->input(0);
  }
  const Node* add = sum == nullptr ? nullptr : region.take(region.take_casts(sum), "Add");
  for (std::size_t i = 0; add != nullptr && i < 2; ++i) {
    const auto [average, epsilon_value] = operands(*add, i);
    const auto epsilon = scalar_beside(epsilon_value, average);
    if (!epsilon || !(*epsilon >= 0) || !std::isfinite(*epsilon)) continue;
    Node* mean = take_mean(average, region);
    if (mean == nullptr) break;
    if (Value* squared = take_square(mean->input(0), region)) return MeanSquare{squared, mean, *epsilon};
  }
  region.rewind(before);
  return std::nullopt;
}

std::optional<NormalizedForm> take_normalized(Value* value, Region& region) {
  value = region.take_casts(value);
  const std::size_t before = region.mark();
  if (const Node* div = region.take(value, "Div")) {
    if (const auto root = take_root(div->input(1), false, region))
      return NormalizedForm{div->input(0), root->squared, nullptr, root->mean, root->epsilon};
  }
  region.rewind(before);
  const Node* mul = region.take(value, "Mul");
  for (std::size_t i = 0; mul != nullptr && i < 2; ++i) {
    const std::size_t inside = region.mark();
    const auto [numerator, factor] = operands(*mul, i);
    if (const auto root = take_root(factor, true, region))
      return NormalizedForm{numerator, root->squared, nullptr, root->mean, root->epsilon};
    const Node* scaled = region.take(region.take_casts(factor), "Mul");
    for (std::size_t j = 0; scaled != nullptr && j < 2; ++j) {
      const auto [inverse, scale] = operands(*scaled, j);
      if (const auto root = take_root(inverse, true, region))
        return NormalizedForm{numerator, root->squared, scale, root->mean, root->epsilon};
    }
    region.rewind(inside);
  }
  region.rewind(before);
  return std::nullopt;
}

Result<bool> emit_normalization(const Normalization& found, Node& root, Region& region, Model& model,
                                PassContext& context, bool explain) {
  Value& result = *root.output(0);
  if (!region.closed(result)) {
    if (explain) context.decline(root, "inner values of the normalisation are read elsewhere");
    return false;
  }
  const Type& type = found.x->type;
  const std::size_t axes = trailing_axes(*found.mean, type);
  if (const std::string why = obstacle(found, axes, context); !why.empty()) {
    if (explain) context.decline(root, why);
    return false;
  }
  const Shape sizes = normalized_sizes(type, axes);
  for (const Value* parameter : {found.scale, found.bias}) {
    if (parameter != nullptr && !fits(*parameter, sizes, type)) return false;
  }
  if (!may_emit(model, context, found.op_type, found.since)) return false;

  Graph& graph = region.graph();
  Value* scale = nullptr;
  if (found.scale != nullptr) {
    TARMAC_TRY(scale, fitted(graph, *found.scale, sizes));
  } else {
    TARMAC_TRY(Tensor ones, from_doubles(type.dtype, sizes, std::vector<double>(count_of(sizes), 1.0)));
    scale = &graph.add_initializer(graph.fresh_name(result.name() + "_scale"), std::move(ones));
  }
  std::vector<Value*> inputs = {found.x, scale};
  if (found.bias != nullptr) {
    TARMAC_TRY(Value * bias, fitted(graph, *found.bias, sizes));
    inputs.push_back(bias);
  }
  Value& fused = add_fused(graph, found.op_type, std::move(inputs), root, result);
  fused.producer()->attributes["axis"] = -static_cast<std::int64_t>(axes);
  fused.producer()->attributes["epsilon"] = static_cast<float>(found.epsilon);
  context.changed(root, std::string("is the end of a decomposed ") + found.op_type);
  region.replace(result, fused);
  return true;
}

}  // namespace tarmac

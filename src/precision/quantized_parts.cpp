#include "precision/quantized_parts.h"

#include <limits>

#include "passes/rewrite.h"
#include "tensor/codec.h"

namespace tarmac {
namespace {

std::int64_t zero_number(const Value* zero_point) {
  if (zero_point == nullptr) return 0;
  const auto values = to_int64s(*constant_of(zero_point));
  return values && !values->empty() ? values->front() : 0;
}

bool is_parameter(const Value* value) {
  const Tensor* tensor = constant_of(value);
  return tensor != nullptr && tensor->count() == 1;
}

/// Bounds of Relu or Clip; nullopt where they are computed.
struct Bounds {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
};
std::optional<Bounds> bounds_of(const Node& activation) {
  Bounds bounds;
  if (activation.is("Relu")) {
    bounds.low = 0;
    return bounds;
  }
  // Clip-6 has attributes.
  bounds.low = activation.attribute_or<float>("min", -std::numeric_limits<float>::max());
  bounds.high = activation.attribute_or<float>("max", std::numeric_limits<float>::max());
  for (const std::size_t i : {1U, 2U}) {
    if (activation.input(i) == nullptr) continue;
    const auto number = uniform_value(activation.input(i));
    if (!number) return std::nullopt;
    (i == 1 ? bounds.low : bounds.high) = *number;
  }
  return bounds;
}

/// Whether integers of this scale reach no further than the activation does, but for rounding of the scale.
bool implies(const QuantizedResult& result, const Bounds& bounds) {
  const bool is_signed = result.dtype() == DType::kInt8;
  const double scale = static_cast<double>(scale_number(*result.scale));
  const auto zero = static_cast<double>(zero_number(result.zero_point));
  const double low = ((is_signed ? -128.0 : 0.0) - zero) * scale;
  const double high = ((is_signed ? 127.0 : 255.0) - zero) * scale;
  const double slack = 0.01 * scale;
  return low >= bounds.low - slack && high <= bounds.high + slack;
}

}  // namespace

DType QuantizedValue::dtype() const { return integers->type.dtype; }
bool QuantizedValue::per_tensor() const { return constant_of(scale)->count() == 1; }
DType QuantizedResult::dtype() const {
  return zero_point == nullptr ? DType::kUint8 : constant_of(zero_point)->dtype();
}

float scale_number(const Value& scale) {
  const auto values = to_floats(*constant_of(&scale));
  return values && !values->empty() ? values->front() : 1.0F;
}

std::optional<QuantizedValue> quantized_value(const Value* value) {
  if (value == nullptr || value->producer() == nullptr || !value->producer()->is("DequantizeLinear"))
    return std::nullopt;
  Node* node = value->producer();
  const Tensor* scale = constant_of(node->input(1));
  if (node->attribute_or<std::int64_t>("block_size", 0) != 0 || scale == nullptr ||
      scale->dtype() != DType::kFloat32 ||
      (node->input(2) != nullptr && constant_of(node->input(2)) == nullptr)) {
    return std::nullopt;
  }
  return QuantizedValue{node, node->input(0), node->input(1), node->input(2)};
}

Value* zero_point_of(const QuantizedValue& value) {
  if (value.zero_point != nullptr) return value.zero_point;
  Graph& graph = value.dequantize->graph();
  const Shape& shape = constant_of(value.scale)->shape();
  auto zeros = from_doubles(value.dtype(), shape,
                            std::vector<double>(static_cast<std::size_t>(constant_of(value.scale)->count())));
  Value& zero =
      graph.add_initializer(graph.fresh_name(value.integers->name() + "_zero_point"), *std::move(zeros));
  value.dequantize->add_input(&zero);
  return &zero;
}

ResultOrReason quantized_result(Node& node) {
  const Value* value = node.output(0);
  QuantizedResult found;
  if (!has_one_reader(*value)) return {{}, "its result is read in float, or by several nodes"};
  Node* reader = value->uses().front().node;
  if (reader->is("Relu") || reader->is("Clip")) {
    found.activation = reader;
    value = reader->output(0);
    if (!has_one_reader(*value)) return {{}, "its result is read in float, or by several nodes"};
    reader = value->uses().front().node;
  }
  if (!reader->is("QuantizeLinear") || &reader->graph() != &node.graph())
    return {{}, "its result is not rounded"};
  if (!is_parameter(reader->input(1)) || (reader->input(2) != nullptr && !is_parameter(reader->input(2))))
    return {{}, "its result is rounded with more than one scale, or a computed one"};
  found.quantize = reader;
  found.scale = reader->input(1);
  found.zero_point = reader->input(2);
  if (found.activation != nullptr) {
    const auto bounds = bounds_of(*found.activation);
    if (!bounds || !implies(found, *bounds))
      return {
          {},
          "the range of its rounded result does not imply the " + found.activation->op_type + " behind it"};
  }
  if (found.zero_point == nullptr) {
    Graph& graph = node.graph();
    found.zero_point = &graph.add_initializer(graph.fresh_name(node.label() + "_zero_point"),
                                              Tensor::from<std::uint8_t>({}, std::vector<std::uint8_t>{0}));
    reader->add_input(found.zero_point);
  }
  return {found, {}};
}

bool same_parameters(const QuantizedValue& value, const QuantizedResult& result) {
  return value.per_tensor() && value.dtype() == result.dtype() &&
         scale_number(*value.scale) == scale_number(*result.scale) &&
         zero_number(value.zero_point) == zero_number(result.zero_point);
}

}  // namespace tarmac

#include "passes/opset_step.h"

#include <algorithm>

#include "tensor/codec.h"

namespace tarmac::opset {

std::optional<std::vector<std::int64_t>> Step::integers(std::size_t input) const {
  const Tensor* tensor = constant_of(node.input(input));
  if (tensor == nullptr) return std::nullopt;
  auto values = to_int64s(*tensor);
  return values ? std::optional(*std::move(values)) : std::nullopt;
}

std::optional<std::int64_t> Step::rank(std::size_t input) const {
  const Value* value = node.input(input);
  if (value == nullptr || !value->type.is_tensor() || !value->type.shape) return std::nullopt;
  return static_cast<std::int64_t>(value->type.shape->size());
}

DType Step::dtype(std::size_t input) const {
  const Value* value = node.input(input);
  return value != nullptr && value->type.is_tensor() ? value->type.dtype : DType::kUndefined;
}

Value& Step::constant(Tensor tensor, const std::string& what) const {
  return graph().add_initializer(graph().fresh_name(node.label() + "_" + what), std::move(tensor));
}

Value& Step::integers_constant(const std::vector<std::int64_t>& values, const std::string& what) const {
  return constant(Tensor::from({static_cast<std::int64_t>(values.size())}, values), what);
}

void Step::put_input(std::size_t i, Value* value) const {
  while (node.inputs().size() <= i) node.add_input(nullptr);
  node.set_input(i, value);
}

void Step::trim_inputs() const {
  std::size_t count = node.inputs().size();
  while (count > 0 && node.inputs()[count - 1] == nullptr) --count;
  node.truncate_inputs(count);
}

void Step::attribute_to_input(const char* attribute, std::size_t i) const {
  const auto* values = node.attribute<std::vector<std::int64_t>>(attribute);
  if (values == nullptr) return;
  put_input(i, &integers_constant(*values, attribute));
  node.attributes.erase(attribute);
}

Value& Step::before(std::string op_type, std::vector<Value*> inputs, const std::string& what) {
  Value& value = graph().add_op(std::move(op_type), std::move(inputs), node.label() + "_" + what, &node);
  added.push_back(value.producer());
  return value;
}

Node& Step::behind(std::string op_type, std::vector<Value*> further_inputs) {
  Value& output = *node.output(0);
  Value& result = graph().add_value(graph().fresh_name(output.name() + "_" + op_type), output.type);
  std::vector<Value*> inputs{&output};
  inputs.insert(inputs.end(), further_inputs.begin(), further_inputs.end());
  Node& next = graph().add_node(std::move(op_type), std::move(inputs), {&result}, node.next());
  output.type = {};
  graph().replace_uses(output, result);
  next.set_input(0, &output);
  added.push_back(&next);
  return next;
}

bool are_axes(const std::vector<std::int64_t>& axes, std::int64_t rank) {
  return std::all_of(axes.begin(), axes.end(),
                     [&](std::int64_t axis) { return axis >= -rank && axis < rank; });
}

Error refuse(std::string reason) { return make_error(ErrorCode::kUnsupported, std::move(reason)); }

Adapter find_adapter(std::span<const AdapterRow> rows, const std::string& op_type, std::int64_t version) {
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const AdapterRow& row) {
    return op_type == row.op_type && version == row.version;
  });
  return found == rows.end() ? nullptr : found->adapter;
}

const onnx::OpSchema* find_schema(const std::string& op_type, std::int64_t version) {
  return onnx::OpSchemaRegistry::Schema(op_type, static_cast<int>(version), "");
}

}  // namespace tarmac::opset

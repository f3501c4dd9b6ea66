#include "targets/openvino/operators.h"

#include <array>
#include <bit>
#include <openvino/frontend/onnx/extension/conversion.hpp>
#include <openvino/op/op.hpp>

#include "targets/common/engine_model.h"
#include "targets/openvino/engine.h"

namespace tarmac::openvino {
namespace {

[[noreturn]] void fail(const Error& error) { throw std::runtime_error(error.str()); }

Type to_type(const ov::element::Type& dtype, const ov::PartialShape& shape) {
  if (shape.rank().is_dynamic()) return Type::tensor(from_engine(dtype));
  std::vector<Dim> dims;
  for (const auto& dim : shape) dims.push_back(dim.is_static() ? Dim::of(dim.get_length()) : Dim());
  return Type::tensor(from_engine(dtype), std::move(dims));
}

ov::PartialShape to_shape(const Type& type) {
  if (!type.shape) return ov::PartialShape::dynamic();
  ov::PartialShape shape;
  for (const Dim& dim : *type.shape)
    shape.push_back(dim.known() ? ov::Dimension(*dim.size) : ov::Dimension());
  return shape;
}

/// ov::Shape counts in std::size_t, kernels in std::int64_t; both are 64 bits wide.
std::span<const std::int64_t> sizes_of(const ov::Shape& shape) {
  static_assert(sizeof(std::size_t) == sizeof(std::int64_t));
  return {reinterpret_cast<const std::int64_t*>(shape.data()), shape.size()};
}

class DrivingNodeOp final : public ov::op::Op {
 public:
  OPENVINO_OP("DrivingOperator", "tarmac")

  /// For an engine that is loaded: visit_attributes() follows.
  DrivingNodeOp() = default;
  DrivingNodeOp(const ov::OutputVector& inputs, DrivingOperatorPtr kernel)
      : Op(inputs), kernel_(std::move(kernel)) {
    constructor_validate_and_infer_types();
  }

  void validate_and_infer_types() override {
    std::vector<Type> inputs;
    for (std::size_t i = 0; i < get_input_size(); ++i)
      inputs.push_back(to_type(get_input_element_type(i), get_input_partial_shape(i)));
    const auto outputs = kernel_->infer(inputs);
    if (!outputs) fail(outputs.error());
    set_output_size(outputs->size());
    for (std::size_t i = 0; i < outputs->size(); ++i) {
      const Type& type = (*outputs)[i];
      const auto dtype = to_engine(type.dtype);
      set_output_type(i, dtype ? *dtype : ov::element::Type(ov::element::dynamic), to_shape(type));
    }
  }

  std::shared_ptr<ov::Node> clone_with_new_inputs(const ov::OutputVector& inputs) const override {
    return std::make_shared<DrivingNodeOp>(inputs, kernel_);
  }

  /// Tells them when an engine is saved, and makes the kernel of what it is told when one is loaded.
  bool visit_attributes(ov::AttributeVisitor& visitor) override {
    std::string name = kernel_ ? kernel_->op().name : "";
    visitor.on_attribute("operator", name);
    const ops::Operator* const op = ops::find_operator(ops::kDomain, name);
    if (op == nullptr) fail(make_error(ErrorCode::kInvalidModel, "there is no operator '" + name + "'"));
    auto present = static_cast<std::int64_t>(kernel_ ? kernel_->present() : 0);
    visitor.on_attribute(kPresentInputs, present);
    ops::Attributes attributes = kernel_ ? kernel_->attributes() : ops::Attributes();
    for (const ops::AttributeSpec& spec : op->attributes) {
      ops::AttributeValue& value = attributes.try_emplace(spec.name, spec.value).first->second;
      std::visit([&](auto& held) { visit(visitor, spec.name, held); }, value);
    }
    if (kernel_) return true;
    auto kernel = DrivingOperator::create(*op, std::move(attributes), static_cast<std::uint64_t>(present));
    if (!kernel) fail(kernel.error());
    kernel_ = *std::move(kernel);
    return true;
  }

  [[nodiscard]] bool has_evaluate() const override { return true; }

  bool evaluate(ov::TensorVector& outputs, const ov::TensorVector& inputs) const override {
    std::array<ops::ConstTensorView, kMaxOperands> in;
    std::array<ov::Shape, kMaxOperands> in_shapes;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      in_shapes[i] = inputs[i].get_shape();
      in[i] = {from_engine(inputs[i].get_element_type()), sizes_of(in_shapes[i]),
               static_cast<const std::byte*>(inputs[i].data())};
    }
    if (is_dynamic()) set_shapes(outputs, inputs);
    std::array<ops::TensorView, kMaxOperands> out;
    std::array<ov::Shape, kMaxOperands> out_shapes;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      out_shapes[i] = outputs[i].get_shape();
      out[i] = {from_engine(outputs[i].get_element_type()), sizes_of(out_shapes[i]),
                static_cast<std::byte*>(outputs[i].data())};
    }
    ops::ArenaParallel parallel;
    const Status status =
        kernel_->run(std::span(in).first(inputs.size()), std::span(out).first(outputs.size()), parallel);
    if (!status) fail(status.error());
    return true;
  }

 private:
  template <typename T>
  static void visit(ov::AttributeVisitor& visitor, const char* name, T& value) {
    visitor.on_attribute(name, value);
  }
  // Written as numbers, floats lose digits; their bits do not.
  static void visit(ov::AttributeVisitor& visitor, const char* name, float& value) {
    std::vector<float> values{value};
    visit(visitor, name, values);
    if (!values.empty()) value = values.front();
  }
  static void visit(ov::AttributeVisitor& visitor, const char* name, std::vector<float>& values) {
    std::vector<std::int64_t> bits;
    for (const float value : values) bits.push_back(std::bit_cast<std::int32_t>(value));
    visitor.on_attribute(name, bits);
    values.clear();
    for (const std::int64_t one : bits)
      values.push_back(std::bit_cast<float>(static_cast<std::int32_t>(one)));
  }

  void set_shapes(ov::TensorVector& outputs, const ov::TensorVector& inputs) const {
    std::vector<Type> types;
    for (const ov::Tensor& input : inputs)
      types.push_back(to_type(input.get_element_type(), input.get_shape()));
    const auto results = kernel_->infer(types);
    if (!results) fail(results.error());
    for (std::size_t i = 0; i < outputs.size(); ++i) outputs[i].set_shape(to_shape((*results)[i]).to_shape());
  }

  DrivingOperatorPtr kernel_;
};

ops::Attributes read_attributes(const ov::frontend::NodeContext& node, const ops::Operator& op) {
  ops::Attributes attributes;
  for (const ops::AttributeSpec& spec : op.attributes) {
    std::visit(
        [&](const auto& fallback) {
          using Held = std::decay_t<decltype(fallback)>;
          if constexpr (std::is_same_v<Held, std::vector<float>>) {
            // The frontend hands a list of floats over as doubles, and does not convert it.
            const std::vector<double> wide(fallback.begin(), fallback.end());
            const auto found = node.get_attribute<std::vector<double>>(spec.name, wide);
            attributes.emplace(spec.name, Held(found.begin(), found.end()));
          } else {
            attributes.emplace(spec.name, node.get_attribute<Held>(spec.name, fallback));
          }
        },
        spec.value);
  }
  return attributes;
}

ov::OutputVector convert(const ov::frontend::NodeContext& node, const ops::Operator& op) {
  ov::OutputVector inputs;
  for (std::size_t i = 0; i < node.get_input_size(); ++i)
    inputs.push_back(node.get_input(static_cast<int>(i)));
  const auto present = static_cast<std::uint64_t>(node.get_attribute<std::int64_t>(kPresentInputs));
  auto kernel = DrivingOperator::create(op, read_attributes(node, op), present);
  if (!kernel) fail(kernel.error());
  return std::make_shared<DrivingNodeOp>(inputs, *std::move(kernel))->outputs();
}

}  // namespace

void add_driving_operators(ov::Core& core) {
  core.add_extension<DrivingNodeOp>();  // for engines that are loaded
  for (const ops::Operator* op : ops::all_operators()) {
    core.add_extension(std::make_shared<ov::frontend::onnx::ConversionExtension>(
        op->name, ops::kDomain, [op](const ov::frontend::NodeContext& node) { return convert(node, *op); }));
  }
}

}  // namespace tarmac::openvino

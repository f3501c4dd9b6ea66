#include "targets/common/driving_operator.h"

#include <array>

namespace tarmac {
namespace {

/// Calls `take(index in the schema, index among the present ones)` for each input that is there.
template <typename Take>
void for_each_present(std::uint64_t present, Take&& take) {
  std::size_t among = 0;
  for (std::size_t i = 0; i < kMaxOperands; ++i) {
    if ((present >> i & 1U) != 0) take(i, among++);
  }
}

void drop_absent_inputs(Node& node) {
  std::vector<Value*> present;
  for (Value* input : node.inputs()) {
    if (input != nullptr) present.push_back(input);
  }
  for (std::size_t i = 0; i < present.size(); ++i) node.set_input(i, present[i]);
  node.truncate_inputs(present.size());
}

}  // namespace

Result<DrivingOperatorPtr> DrivingOperator::create(const ops::Operator& op, ops::Attributes attributes,
                                                   std::uint64_t present) {
  assert(op.inputs.size() <= kMaxOperands && op.outputs.size() <= kMaxOperands);
  TARMAC_TRY(auto kernel, op.cpu(attributes));
  return DrivingOperatorPtr(new DrivingOperator(op, std::move(attributes), present, std::move(kernel)));
}

Result<std::vector<Type>> DrivingOperator::infer(std::span<const Type> inputs) const {
  std::vector<Type> all(op_.inputs.size());
  for_each_present(present_, [&](std::size_t i, std::size_t among) {
    if (i < all.size() && among < inputs.size()) all[i] = inputs[among];
  });
  return ops::infer_types(op_, attributes_, all);
}

Status DrivingOperator::run(std::span<const ops::ConstTensorView> inputs,
                            std::span<const ops::TensorView> outputs, ops::Parallel& parallel) const {
  std::array<ops::ConstTensorView, kMaxOperands> all;
  for_each_present(present_, [&](std::size_t i, std::size_t among) {
    if (among < inputs.size()) all[i] = inputs[among];
  });
  return kernel_->run(std::span(all).first(op_.inputs.size()), outputs, parallel);
}

const ops::Operator* driving_operator(const Model& model, const Node& node) {
  if (node.domain != ops::kDomain) return nullptr;
  const auto version = model.opsets.find(node.domain);
  return ops::find_operator(node.domain, node.op_type, version == model.opsets.end() ? 1 : version->second);
}

bool is_driving_body(const Function& function) {
  return ops::find_operator(function.domain, function.name) != nullptr;
}

Result<std::vector<DrivingNode>> prepare_driving_operators(Model& model) {
  std::vector<DrivingNode> prepared;
  Status status;
  for_each_node(*model.graph, [&](Node& node) {
    const ops::Operator* op = driving_operator(model, node);
    if (op == nullptr || !status) return;
    if (node.inputs().size() > op->inputs.size()) {
      status = make_error(ErrorCode::kInvalidModel,
                          node.op_type + " has " + std::to_string(op->inputs.size()) +
                              " inputs, the node gives " + std::to_string(node.inputs().size()),
                          node.label());
      return;
    }
    std::uint64_t present = 0;
    for (std::size_t i = 0; i < node.inputs().size(); ++i)
      present |= node.input(i) != nullptr ? std::uint64_t{1} << i : 0;
    auto attributes = ops::attributes_of(*op, node);
    if (!attributes) {
      status = attributes.error();
      return;
    }
    auto kernel = DrivingOperator::create(*op, *std::move(attributes), present);
    if (!kernel) {
      status = make_error(kernel.error().code, kernel.error().message, node.label());
      return;
    }
    node.overload.clear();
    for (const auto& [name, value] : (*kernel)->attributes())
      std::visit([&, key = name](const auto& held) { node.attributes[key] = held; }, value);
    drop_absent_inputs(node);
    prepared.push_back({&node, *std::move(kernel)});
  });
  TARMAC_CHECK_OK(status);
  std::erase_if(model.functions, is_driving_body);
  return prepared;
}

}  // namespace tarmac

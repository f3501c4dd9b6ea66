#include "passes/lift.h"

#include <algorithm>

#include "graph/model_io.h"
#include "ops/operator.h"

namespace tarmac {
namespace {

/// Overloads of local functions came with this version.
constexpr std::int64_t kOverloadIrVersion = 10;

Status add_function(Model& model, const LiftedCall& call) {
  const auto same = [&](const Function& function) {
    return function.domain == ops::kDomain && function.name == call.op_type &&
           function.overload == call.overload;
  };
  if (std::any_of(model.functions.begin(), model.functions.end(), same)) return {};
  TARMAC_TRY(Model text, model_from_text("<ir_version: 10, opset_import: [\"\" : " +
                                         std::to_string(model.opset()) + "]>\n" + call.body));
  Function function;
  function.domain = ops::kDomain;
  function.name = call.op_type;
  function.overload = call.overload;
  function.opsets = {{"", model.opset()}};
  function.body = std::move(text.graph);
  for (Value* input : function.body->inputs()) input->type = {};
  for (Value* output : function.body->outputs()) output->type = {};
  function.body->name.clear();
  model.functions.push_back(std::move(function));
  return {};
}

}  // namespace

bool may_lift(const PassContext& context, std::string_view op_type) {
  return context.support != nullptr && context.support->accepts(ops::kDomain, op_type, ops::kDomainVersion);
}

Result<Value*> add_lifted(Model& model, Node& before, LiftedCall call, const std::string& name, Type type) {
  if (!call.body.empty()) {
    TARMAC_CHECK_OK(add_function(model, call));
    model.ir_version = std::max(model.ir_version, kOverloadIrVersion);
  }
  model.opsets.emplace(ops::kDomain, ops::kDomainVersion);
  while (!call.inputs.empty() && call.inputs.back() == nullptr) call.inputs.pop_back();
  Graph& graph = before.graph();
  Value& output = graph.add_op(call.op_type, std::move(call.inputs), name, &before);
  output.type = std::move(type);
  Node& node = *output.producer();
  node.domain = ops::kDomain;
  node.overload = call.overload;
  node.attributes = std::move(call.attributes);
  return &output;
}

std::vector<Node*> nodes_of(const Model& model, std::string_view op_type, std::string_view domain) {
  std::vector<Node*> nodes;
  for_each_node(*model.graph, [&](Node& node) {
    if (node.is(op_type, domain)) nodes.push_back(&node);
  });
  return nodes;
}

}  // namespace tarmac

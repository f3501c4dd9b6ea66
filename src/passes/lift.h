// Putting a driving operator (ops/) into a graph: a node of the domain `tarmac`, and beside it a local
// function that says the same in ONNX operators, for targets without a kernel (inline_functions opens it).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "passes/pass.h"

namespace tarmac {

/// Whether every target runs the operator; without targets, none does.
bool may_lift(const PassContext& context, std::string_view op_type);

struct LiftedCall {
  std::string op_type;
  std::vector<Value*> inputs;  ///< null: left out
  std::map<std::string, Attribute, std::less<>> attributes;
  /// What the body depends on beyond its inputs, as a short word: calls with the same one share a function.
  std::string overload;
  /// Empty: there is none, and only targets with a kernel run the node. Else the body as a graph in ONNX text
  /// (graph/model_io.h), without header; inputs in the order of the operator's, those that it does not read
  /// included; constants inside.
  std::string body;
};

/// Adds the call before `before`, its function if the model has none like it, and the operator set. Gives its
/// output, of this type. Errors: those of the text, which are ours.
Result<Value*> add_lifted(Model& model, Node& before, LiftedCall call, const std::string& name, Type type);

/// Gives a call of DeformConv2d its definition, ONNX's DeformConv (opset 19), after inputs and attributes.
void define_deform_conv(LiftedCall& call);

/// Walks main graph and nested ones; gives every node of the ONNX domain with one of these operators.
std::vector<Node*> nodes_of(const Model& model, std::string_view op_type, std::string_view domain = "");

}  // namespace tarmac

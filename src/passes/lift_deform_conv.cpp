#include <fmt/format.h>

#include "passes/lift.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace tarmac {
namespace {

constexpr const char* kOperator = "DeformConv2d";

std::string list_of(const LiftedCall& call, const char* name) {
  const auto found = call.attributes.find(name);
  if (found == call.attributes.end()) return {};
  return fmt::format("{} = [{}]", name, fmt::join(std::get<std::vector<std::int64_t>>(found->second), ", "));
}

}  // namespace

void define_deform_conv(LiftedCall& call) {
  std::string attributes;
  std::string word;
  for (const char* name : {"dilations", "kernel_shape", "pads", "strides"}) {
    if (const std::string list = list_of(call, name); !list.empty()) attributes += list + ", ";
  }
  for (const char* name : {"group", "offset_group"}) {
    const auto found = call.attributes.find(name);
    attributes += fmt::format("{} = {}, ", name,
                              found == call.attributes.end() ? 1 : std::get<std::int64_t>(found->second));
  }
  attributes.resize(attributes.size() - 2);
  for (const char c : attributes) {
    if (c == ',' || c == '=' || c == '[' || c == ']') continue;
    word += c == ' ' ? '_' : c;
  }
  const bool bias = call.inputs.size() > 3 && call.inputs[3] != nullptr;
  const bool mask = call.inputs.size() > 4 && call.inputs[4] != nullptr;
  std::string inputs = "float X, float W, float offset";
  if (bias || mask) inputs += ", float B";
  if (mask) inputs += ", float mask";
  std::string read = "X, W, offset";
  if (bias || mask) read += bias ? ", B" : ", ";
  if (mask) read += ", mask";
  call.overload = word + (bias ? "_bias" : "") + (mask ? "_mask" : "");
  call.body = fmt::format("definition ({}) => (float y) {{\n  y = DeformConv <{}> ({})\n}}", inputs,
                          attributes, read);
}

Status lift_deform_conv(Model& model, PassContext& context) {
  if (!may_lift(context, kOperator)) return {};
  std::vector<Value*> replaced;
  for (Node* node : nodes_of(model, "DeformConv")) {
    const auto& dims = node->input(0)->type.shape;
    if (!dims || dims->size() != 4) {
      context.decline(*node, "the input is not known to be a batch of pictures");
      continue;
    }
    if (!node->input(0)->type.is_tensor() || node->input(0)->type.dtype == DType::kFloat64) {
      context.decline(*node, "DeformConv2d computes in float32");
      continue;
    }
    LiftedCall call;
    call.op_type = kOperator;
    call.inputs = node->inputs();
    for (const auto& [name, value] : node->attributes) {
      if (const auto* number = std::get_if<std::int64_t>(&value)) call.attributes[name] = *number;
      if (const auto* list = std::get_if<std::vector<std::int64_t>>(&value)) call.attributes[name] = *list;
    }
    define_deform_conv(call);
    TARMAC_TRY(Value* const output, add_lifted(model, *node, std::move(call), node->output(0)->name(),
                                               Type(node->output(0)->type)));
    output->producer()->name = node->name;
    context.changed(*node, "put DeformConv2d in place of DeformConv");
    node->graph().replace_uses(*node->output(0), *output);
    replaced.push_back(node->output(0));
  }
  erase_unused(std::move(replaced));
  return {};
}

}  // namespace tarmac

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace tarmac {
namespace {

bool is_matrix_of_floats(const Value* value) {
  return rank_of(value) == 2U && is_floating_point(value->type.dtype) && bit_width(value->type.dtype) >= 16;
}

/// Whether Gemm takes the value as its C without making the product larger.
bool is_bias_of(const Value& bias, const Value& product) {
  const auto rank = rank_of(&bias);
  if (!rank || *rank > 2 || bias.type.dtype != product.type.dtype) return false;
  for (std::size_t i = 0; i < *rank; ++i) {
    const Dim& dim = (*bias.type.shape)[i];
    if (dim.size != 1 && !same_dim(dim, (*product.type.shape)[2 - *rank + i])) return false;
  }
  return true;
}

/// Add of a matrix product without bias and what can be one.
void take_bias(const Graph& graph, Node& node, PassContext& context) {
  if (!node.is("Add")) return;
  for (const std::size_t i : {0U, 1U}) {
    Node* product = sole_producer(graph, node.input(i));
    Value* bias = node.input(1 - i);
    if (product == nullptr || bias == nullptr || !is_matrix_of_floats(product->output(0))) continue;
    const bool gemm = product->is("Gemm") && product->input(2) == nullptr;
    if (!gemm && !product->is("MatMul")) continue;
    if (!is_matrix_of_floats(product->input(0)) || !is_matrix_of_floats(product->input(1)) ||
        !is_bias_of(*bias, *product->output(0)))
      continue;
    context.changed(node, "became the bias of " + product->op_type + " '" + product->label() + "'");
    Value* a = product->input(0);
    Value* b = product->input(1);
    // The node in place, since the bias may be computed after the product; it goes on under the product's
    // name.
    node.op_type = "Gemm";
    node.attributes = std::move(product->attributes);
    node.attributes.erase("beta");
    if (!product->name.empty()) node.name = product->name;
    std::vector<Value*> old = node.inputs();
    node.truncate_inputs(0);
    for (Value* input : {a, b, bias}) node.add_input(input);
    erase_unused(std::move(old));
    return;
  }
}

/// Gemm reads either matrix transposed.
void take_transposes(const Graph& graph, Node& node, std::int64_t opset, PassContext& context) {
  const bool gemm = node.is("Gemm");
  if (!gemm && (!node.is("MatMul") || opset < 11)) return;  // until then a Gemm had to have a bias
  if (!is_matrix_of_floats(node.input(0)) || !is_matrix_of_floats(node.input(1))) return;
  for (const std::size_t i : {0U, 1U}) {
    const Node* transpose = sole_producer(graph, node.input(i));
    if (transpose == nullptr || !transpose->is("Transpose")) continue;
    const auto* perm = transpose->attribute<std::vector<std::int64_t>>("perm");
    if (perm != nullptr && *perm != std::vector<std::int64_t>{1, 0}) continue;
    context.changed(node, "reads the input of Transpose '" + transpose->label() + "' transposed");
    const char* flag = i == 0 ? "transA" : "transB";
    const bool was_set = gemm && node.attribute_or<std::int64_t>(flag, 0) != 0;
    node.op_type = "Gemm";
    node.attributes[flag] = static_cast<std::int64_t>(was_set ? 0 : 1);
    replace_input(node, i, transpose->input(0));
  }
}

}  // namespace

Status fuse_matmul_add(Model& model, PassContext& context) {
  if (model.opset() < 7) return {};  // broadcasting was an attribute
  visit_nodes(*model.graph, [&](Graph& graph, Node& node) {
    take_transposes(graph, node, model.opset(), context);
    take_bias(graph, node, context);
  });
  return {};
}

}  // namespace tarmac

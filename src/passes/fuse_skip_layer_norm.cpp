#include "passes/passes.h"
#include "passes/vendor_norm.h"

namespace tarmac {
namespace {

/// What is added up in front of the normalisation.
struct Terms {
  Value* input = nullptr;
  Value* skip = nullptr;
  Value* bias = nullptr;      ///< a vector along the last axis, or null
  Node* with_bias = nullptr;  ///< the Add that goes with it
};

/// The kernel adds `skip` to each batch of `input`, which has the sum's shape.
bool addable(const Value* input, const Value* skip, const Type& sum) {
  if (input == nullptr || skip == nullptr || !same_type(input->type, sum) || !skip->type.shape) return false;
  if (same_type(skip->type, sum)) return true;
  // Constant float16 skips that are broadcast are read wrongly by some versions.
  if (sum.dtype != DType::kFloat32 && constant_of(skip) != nullptr) return false;
  const auto& dims = *skip->type.shape;
  const bool one_batch = dims.size() == 2 || (dims.size() == 3 && dims[0].size == 1);
  return one_batch && same_dim(dims[dims.size() - 2], (*sum.shape)[1]) &&
         same_dim(dims.back(), (*sum.shape)[2]);
}

/// An Add of this graph that only `reader` reads.
Node* inner_add(const Value* value, const Node& reader) {
  if (value == nullptr || value->producer() == nullptr || !has_one_reader(*value)) return nullptr;
  Node* node = value->producer();
  return node->is("Add") && &node->graph() == &reader.graph() ? node : nullptr;
}

std::optional<Terms> terms_of(const Node& sum, std::int64_t hidden) {
  const Type& type = sum.output(0)->type;
  std::vector<Terms> candidates;
  for (std::size_t i = 0; i < 2; ++i) {
    const auto [first, second] = operands(sum, i);
    Node* inner = inner_add(first, sum);
    for (std::size_t j = 0; inner != nullptr && j < 2; ++j) {
      const auto [a, b] = operands(*inner, j);
      if (is_parameter(b, {hidden}, type.dtype)) candidates.push_back({a, second, b, inner});
      if (is_parameter(second, {hidden}, type.dtype)) candidates.push_back({a, b, second, inner});
    }
  }
  candidates.push_back({sum.input(0), sum.input(1), nullptr, nullptr});
  for (Terms& terms : candidates) {
    if (addable(terms.input, terms.skip, type)) return terms;
    std::swap(terms.input, terms.skip);
    if (addable(terms.input, terms.skip, type)) return terms;
  }
  return std::nullopt;
}

Result<bool> fuse_at(Graph& graph, Node& norm, Model& model, PassContext& context) {
  const auto hidden = vendor_norm_width(norm);
  if (!hidden) return false;
  Node* sum = norm.input(0)->producer();
  if (sum == nullptr || !sum->is("Add") || &sum->graph() != &graph) return false;
  const auto terms = terms_of(*sum, *hidden);
  const bool simplified = norm.is("RMSNormalization");
  const char* op_type = simplified ? "SkipSimplifiedLayerNormalization" : "SkipLayerNormalization";
  if (!terms || !may_emit_vendor(model, context, kMicrosoftDomain, op_type)) return false;

  std::vector<Value*> inputs = {terms->input, terms->skip, norm.input(1)};
  if (!simplified && (norm.input(2) != nullptr || terms->bias != nullptr)) inputs.push_back(norm.input(2));
  if (terms->bias != nullptr) inputs.push_back(terms->bias);
  Value& result = *norm.output(0);
  Value& added = *sum->output(0);
  const bool sum_read = !has_one_reader(added);
  // In the place of the Add, because others may read the sum before the normalisation.
  Value& fused = graph.add_value(graph.fresh_name(result.name()), result.type);
  std::vector<Value*> outputs = {&fused};
  if (sum_read)
    outputs.insert(outputs.end(),
                   {nullptr, nullptr, &graph.add_value(graph.fresh_name(added.name()), added.type)});
  Node& node = graph.add_node(op_type, std::move(inputs), std::move(outputs), sum);
  node.domain = kMicrosoftDomain;
  node.name = norm.name;
  node.attributes["epsilon"] = norm.attribute_or<float>("epsilon", 1e-5F);
  context.changed(norm, "follows the addition '" + sum->label() + "': " + op_type);
  graph.replace_uses(result, fused);
  graph.erase(norm);
  if (sum_read) graph.replace_uses(added, *node.output(3));
  graph.erase(*sum);
  if (terms->with_bias != nullptr) graph.erase(*terms->with_bias);
  return true;
}

}  // namespace

Status fuse_skip_layer_norm(Model& model, PassContext& context) {
  return rewrite_backwards(*model.graph,
                           [&](Graph& graph, Node& node) { return fuse_at(graph, node, model, context); });
}

}  // namespace tarmac

#include "passes/passes.h"
#include "passes/region.h"

namespace tarmac {
namespace {

/// α when `argument` is α·x.
std::optional<double> take_alpha(Value* argument, const Value* x, Region& region) {
  if (argument == x) return 1;
  const Product product = take_product(argument, region);
  if (product.factors.size() != 1 || product.factors[0] != x) return std::nullopt;
  return product.scale;
}

Result<bool> fuse_at(Graph& graph, Node& root, Model& model, PassContext& context) {
  Value* result = root.output(0);
  if (!root.is("Mul") || result == nullptr) return false;
  Region region(graph);
  for (std::size_t i = 0; i < 2; ++i) {
    region.rewind(0);
    region.take(result, "Mul");
    const auto [x, gate] = operands(root, i);
    const Node* sigmoid = region.take(gate, "Sigmoid");
    if (sigmoid == nullptr || x == nullptr || !is_float_up_to_32(x->type)) continue;
    const auto alpha = take_alpha(sigmoid->input(0), x, region);
    if (!alpha || !region.closed(*result)) continue;

    // x·sigmoid(αx) is the vendor's QuickGelu for any α; its kernel knows float32 only.
    const bool standard = may_emit(model, context, "Swish", 24);
    if (!standard && (x->type.dtype != DType::kFloat32 || standard_accepted(model, context, "Swish", 24) ||
                      !may_emit_vendor(model, context, kMicrosoftDomain, "QuickGelu")))
      return false;
    Value& fused = add_fused(graph, standard ? "Swish" : "QuickGelu", {x}, root, *result);
    if (!standard) fused.producer()->domain = kMicrosoftDomain;
    fused.producer()->attributes["alpha"] = static_cast<float>(*alpha);
    context.changed(root, "is the end of a decomposed " + fused.producer()->op_type);
    region.replace(*result, fused);
    return true;
  }
  return false;
}

}  // namespace

Status fuse_swish(Model& model, PassContext& context) {
  return rewrite_backwards(*model.graph,
                           [&](Graph& graph, Node& node) { return fuse_at(graph, node, model, context); });
}

}  // namespace tarmac

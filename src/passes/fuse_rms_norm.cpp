#include "passes/normalization.h"
#include "passes/passes.h"

namespace tarmac {
namespace {

/// x − mean(x): fuse_layer_norm's.
bool is_centered(const Value* value) {
  const Node* sub = before_widening(value)->producer();
  if (sub == nullptr || !sub->is("Sub") || sub->input(1) == nullptr) return false;
  const Node* mean = before_widening(sub->input(1))->producer();
  return mean != nullptr && mean->is("ReduceMean");
}

std::optional<Normalization> take_core(Value* value, Region& region) {
  const std::size_t before = region.mark();
  if (const auto form = take_normalized(value, region)) {
    Value* x = widened_from(form->numerator, value->type.dtype);
    if (x != nullptr && before_widening(form->squared) == before_widening(x) && !is_centered(x))
      return Normalization{"RMSNormalization", 23, x, form->scale, nullptr, form->mean, form->epsilon};
  }
  region.rewind(before);
  return std::nullopt;
}

Result<bool> fuse_at(Graph& graph, Node& root, Model& model, PassContext& context) {
  Value* result = root.output(0);
  const bool end = root.is("Mul") || root.is("Div") || root.is("Cast");
  if (!end || result == nullptr) return false;
  Region region(graph);
  auto found = take_core(result, region);
  if (found) return emit_normalization(*found, root, region, model, context, found->scale == nullptr);
  const Node* mul = region.take(result, "Mul");
  for (std::size_t i = 0; mul != nullptr && i < 2; ++i) {
    const auto [inner, scale] = operands(*mul, i);
    if (inner == nullptr || scale == nullptr) continue;
    found = take_core(inner, region);
    if (!found || found->scale != nullptr) continue;
    found->scale = scale;
    return emit_normalization(*found, root, region, model, context, false);
  }
  return false;
}

}  // namespace

Status fuse_rms_norm(Model& model, PassContext& context) {
  return rewrite_backwards(*model.graph,
                           [&](Graph& graph, Node& node) { return fuse_at(graph, node, model, context); });
}

}  // namespace tarmac

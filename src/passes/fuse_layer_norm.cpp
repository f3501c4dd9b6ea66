#include "passes/normalization.h"
#include "passes/passes.h"

namespace tarmac {
namespace {

/// Whether both are x − mean(x) of the same x over the same axes; exporters write the difference twice at
/// times. Returns the x of the first.
Value* take_centered(Value* first, Value* second, const Node& mean_square, Region& region) {
  Value* x = nullptr;
  for (Value* value : {first, second}) {
    const Node* sub = region.take(region.take_casts(value), "Sub");
    if (sub == nullptr) return nullptr;
    const Node* mean = take_mean(sub->input(1), region);
    if (mean == nullptr || before_widening(mean->input(0)) != before_widening(sub->input(0))) return nullptr;
    if (x != nullptr && before_widening(x) != before_widening(sub->input(0))) return nullptr;
    const auto axes = reduced_axes(*mean);
    if (!axes || axes != reduced_axes(mean_square)) return nullptr;
    if (x == nullptr) x = sub->input(0);
  }
  return x;
}

/// γ · (x − mean) / √(variance + ε) behind `value`.
std::optional<Normalization> take_core(Value* value, Region& region) {
  const std::size_t before = region.mark();
  if (const auto form = take_normalized(value, region)) {
    Value* x = take_centered(form->numerator, form->squared, *form->mean, region);
    x = widened_from(x, value->type.dtype);
    if (x != nullptr)
      return Normalization{"LayerNormalization", 17, x, form->scale, nullptr, form->mean, form->epsilon};
  }
  region.rewind(before);
  return std::nullopt;
}

/// The core, possibly multiplied by γ.
std::optional<Normalization> take_scaled(Value* value, Region& region) {
  if (const auto core = take_core(value, region)) return core;
  const std::size_t before = region.mark();
  const Node* mul = region.take(value, "Mul");
  for (std::size_t i = 0; mul != nullptr && i < 2; ++i) {
    const auto [inner, scale] = operands(*mul, i);
    if (inner == nullptr || scale == nullptr) continue;
    auto core = take_core(inner, region);
    if (!core || core->scale != nullptr) continue;
    core->scale = scale;
    return core;
  }
  region.rewind(before);
  return std::nullopt;
}

/// x·m + (β − mean·m) with m = γ/√(variance + ε): LayerNorm through a batch normalisation's formula.
std::optional<Normalization> take_folded(const Node& add, Region& region) {
  const std::size_t before = region.mark();
  for (std::size_t i = 0; i < 2; ++i) {
    region.rewind(before);
    const auto [product, shift] = operands(add, i);
    const Node* scaled = region.take(product, "Mul");
    const Node* sub = region.take(shift, "Sub");
    const Node* mean_scaled = sub == nullptr ? nullptr : region.take(sub->input(1), "Mul");
    if (scaled == nullptr || mean_scaled == nullptr) continue;
    for (std::size_t j = 0; j < 4; ++j) {
      const std::size_t inside = region.mark();
      const auto [x, m] = operands(*scaled, j / 2);
      const auto [mean_value, m_again] = operands(*mean_scaled, j % 2);
      const Node* mean = m == m_again ? take_mean(mean_value, region) : nullptr;
      if (mean != nullptr && mean->input(0) == x) {
        Value* scale = nullptr;
        auto root = take_root(m, true, region);
        const Node* with_scale = root ? nullptr : region.take(m, "Mul");
        for (std::size_t k = 0; with_scale != nullptr && !root && k < 2; ++k) {
          root = take_root(with_scale->input(k), true, region);
          scale = with_scale->input(1 - k);
        }
        if (root && take_centered(root->squared, root->squared, *root->mean, region) == x &&
            reduced_axes(*mean) == reduced_axes(*root->mean))
          return Normalization{"LayerNormalization", 17, x, scale, sub->input(0), root->mean, root->epsilon};
      }
      region.rewind(inside);
    }
  }
  region.rewind(before);
  return std::nullopt;
}

Result<bool> fuse_at(Graph& graph, Node& root, Model& model, PassContext& context) {
  Value* result = root.output(0);
  const bool end = root.is("Add") || root.is("Mul") || root.is("Div") || root.is("Cast");
  if (!end || result == nullptr) return false;
  Region region(graph);
  if (!root.is("Add")) {
    const auto found = take_scaled(result, region);
    // γ may be something else than a scale; the core alone is met once more, and explained then.
    const bool explain = found && (found->scale == nullptr);
    return found ? emit_normalization(*found, root, region, model, context, explain) : Result<bool>(false);
  }
  if (root.input(0) == nullptr || root.input(1) == nullptr) return false;
  for (std::size_t i = 0; i < 2; ++i) {
    region.rewind(0);
    region.take(result, "Add");
    const auto [inner, bias] = operands(root, i);
    auto found = take_scaled(inner, region);
    if (!found) continue;
    found->bias = bias;
    TARMAC_TRY(const bool fused, emit_normalization(*found, root, region, model, context, false));
    if (fused) return true;
  }
  region.rewind(0);
  region.take(result, "Add");
  const auto folded = take_folded(root, region);
  return folded ? emit_normalization(*folded, root, region, model, context, true) : Result<bool>(false);
}

}  // namespace

Status fuse_layer_norm(Model& model, PassContext& context) {
  return rewrite_backwards(*model.graph,
                           [&](Graph& graph, Node& node) { return fuse_at(graph, node, model, context); });
}

}  // namespace tarmac

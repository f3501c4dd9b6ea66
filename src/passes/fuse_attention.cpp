#include <algorithm>

#include "passes/attention_rewrite.h"
#include "passes/passes.h"

namespace tarmac {
namespace {

bool in_order(const AttentionOperand& operand) {
  return std::is_sorted(operand.permutation.begin(), operand.permutation.end());
}

/// Grouped-query attention takes keys and values as they were before they were repeated.
AttentionCore without_repetition(const AttentionCore& core, const SymbolicShapes& shapes) {
  if (core.rank != 4 || !in_order(core.key) || !in_order(core.value)) return core;
  Value* key = before_repetition(*core.key.value, shapes);
  Value* value = before_repetition(*core.value.value, shapes);
  if (key == nullptr || value == nullptr || !((*shapes.shape(key))[1] == (*shapes.shape(value))[1]))
    return core;
  AttentionCore result = core;
  result.key.value = key;
  result.value.value = value;
  return result;
}

SymbolicShape shape_of(const AttentionOperand& operand, const SymbolicShapes& shapes) {
  const SymbolicShape& from = *shapes.shape(operand.value);
  SymbolicShape result;
  for (const std::int64_t axis : operand.permutation) result.push_back(from[static_cast<std::size_t>(axis)]);
  return result;
}

std::optional<std::int64_t> number(const SymbolicDim& dim) {
  return dim.known() ? std::optional(dim.factor()) : std::nullopt;
}

class AttentionFusion {
 public:
  AttentionFusion(Model& model, PassContext& context)
      : model_(model), context_(context), rewriter_(model, context) {}

  void run() {
    rewriter_.for_each([this](const AttentionCore& core) { fuse(core); });
    rewriter_.finish();
  }

 private:
  void fuse(const AttentionCore& found) {
    const SymbolicShapes& shapes = rewriter_.shapes();
    Node& product = *found.result->producer();
    const AttentionCore core = without_repetition(found, shapes);
    const SymbolicShape query = shape_of(core.query, shapes);
    const auto form = find_head_form(core, shapes);
    if (!form && !agree_in_batch_and_heads(query, shape_of(core.key, shapes), shape_of(core.value, shapes))) {
      context_.decline(product,
                       "Q, K and V are not known to have the same batch and number of heads; fixed shapes "
                       "(--fix-shape) or --heads may help");
      return;
    }
    const SymbolicDim keys = shape_of(core.key, shapes)[core.rank - 2];
    if (!worth_transposing(form ? form->added_transposes : added_transposes(core), keys)) return;
    const auto heads = form ? std::optional(form->query_heads) : number(query[1]);
    const auto hidden = number(query.back().times(SymbolicDim::of(heads.value_or(1))));
    std::string why = rewriter_.check_masks(core, heads.value_or(1));
    if (why.empty() && heads) why = rewriter_.contradiction(*heads, hidden);
    if (!why.empty()) {
      context_.decline(product, std::move(why));
      return;
    }
    // The scale is a float32 attribute, and engines take its root in float32.
    if (core.result->type.dtype == DType::kFloat64) {
      context_.decline(product, "Attention would round the scale of float64 scores to float32");
      return;
    }
    if (!may_emit(model_, context_, "Attention", 23)) return;
    if (form) {
      emit_joined(core, *form, product);
      context_.changed(product, fmt_heads(*form));
    } else {
      emit_split(core, product);
      context_.changed(product, "fused MatMul, Softmax and MatMul into Attention");
    }
  }

  static std::string fmt_heads(const HeadForm& form) {
    return "fused MatMul, Softmax and MatMul into Attention with " + std::to_string(form.query_heads) +
           " heads";
  }

  void emit_joined(const AttentionCore& core, const HeadForm& form, Node& product) {
    Value* query = rewriter_.source(form.query, product);
    std::vector<Value*> inputs = {query, rewriter_.source(form.key, product),
                                  rewriter_.source(form.value, product)};
    if (Value* mask = rewriter_.mask(core, form.query_heads, query, 1, false, product))
      inputs.push_back(mask);
    Value* attention = rewriter_.add("Attention", inputs, core.result->type.dtype,
                                     rewriter_.joined_shape(core, form), product);
    Node& node = *attention->producer();
    node.attributes["q_num_heads"] = form.query_heads;
    node.attributes["kv_num_heads"] = form.key_heads;
    node.attributes["scale"] = static_cast<float>(form.scale);
    rewriter_.replace(form.result, *attention);
  }

  void emit_split(const AttentionCore& core, Node& product) {
    const auto turned = [&](const AttentionOperand& operand) {
      return rewriter_.transposed(operand.value, operand.permutation, product);
    };
    Value* query = turned(core.query);
    std::vector<Value*> inputs = {query, turned(core.key), turned(core.value)};
    if (Value* mask = rewriter_.mask(core, 1, query, 2, false, product)) inputs.push_back(mask);
    SymbolicShape shape(core.rank, SymbolicDim::of(1));
    for (std::size_t i = 0; i < core.rank; ++i)
      shape[static_cast<std::size_t>(core.result_permutation[i])] =
          (*rewriter_.shapes().shape(core.result))[i];
    Value* attention = rewriter_.add("Attention", inputs, core.result->type.dtype, shape, product);
    attention->producer()->attributes["scale"] = static_cast<float>(core.scale);
    rewriter_.replace(*core.result, *rewriter_.transposed(attention, core.result_permutation, product));
  }

  Model& model_;
  PassContext& context_;
  AttentionRewriter rewriter_;
};

}  // namespace

Status fuse_attention(Model& model, PassContext& context) {
  if (has_softmax(model)) AttentionFusion(model, context).run();
  return {};
}

}  // namespace tarmac

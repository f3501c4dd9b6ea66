#include "passes/attention_rewrite.h"
#include "passes/passes.h"

namespace tarmac {
namespace {

/// Grouped-query attention takes keys and values as they were before they were repeated.
AttentionCore without_repetition(const AttentionCore& core, const SymbolicShapes& shapes) {
  if (core.rank != 4 || core.key_permutation != std::vector<std::int64_t>{0, 1, 2, 3}) return core;
  Value* key = before_repetition(*core.key, shapes);
  Value* value = before_repetition(*core.value, shapes);
  if (key == nullptr || value == nullptr || !((*shapes.shape(key))[1] == (*shapes.shape(value))[1]))
    return core;
  AttentionCore result = core;
  result.key = key;
  result.value = value;
  return result;
}

SymbolicShape permuted(const SymbolicShape& shape, const std::vector<std::int64_t>& permutation) {
  SymbolicShape result;
  for (const std::int64_t axis : permutation) result.push_back(shape[static_cast<std::size_t>(axis)]);
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
    const SymbolicShape& query = *shapes.shape(core.query);
    const auto form = find_head_form(core, shapes);
    const SymbolicShape key = permuted(*shapes.shape(core.key), core.key_permutation);
    if (!form && !agree_in_batch_and_heads(query, key, *shapes.shape(core.value))) {
      context_.decline(product,
                       "Q, K and V are not known to have the same batch and number of heads; fixed shapes "
                       "(--fix-shape) or --heads may help");
      return;
    }
    const auto heads = form ? std::optional(form->query_heads) : number(query[1]);
    const auto hidden = number(query.back().times(SymbolicDim::of(heads.value_or(1))));
    std::string why = rewriter_.check_masks(core, heads.value_or(1));
    if (why.empty() && heads) why = rewriter_.contradiction(*heads, hidden);
    if (!why.empty()) {
      context_.decline(product, std::move(why));
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
    std::vector<Value*> inputs = {core.query, rewriter_.transposed(core.key, core.key_permutation, product),
                                  core.value};
    if (Value* mask = rewriter_.mask(core, 1, core.query, 2, false, product)) inputs.push_back(mask);
    Value* attention = rewriter_.add("Attention", inputs, core.result->type.dtype,
                                     *rewriter_.shapes().shape(core.result), product);
    attention->producer()->attributes["scale"] = static_cast<float>(core.scale);
    rewriter_.replace(*core.result, *attention);
  }

  Model& model_;
  PassContext& context_;
  AttentionRewriter rewriter_;
};

}  // namespace

Status fuse_attention(Model& model, PassContext& context) {
  AttentionFusion(model, context).run();
  return {};
}

}  // namespace tarmac

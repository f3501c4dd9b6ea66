#include "passes/attention_rewrite.h"
#include "passes/passes.h"

namespace tarmac {
namespace {

constexpr const char* kDomain = "com.microsoft";
constexpr const char* kOp = "MultiHeadAttention";
/// ONNX Runtime computes this operator in tiles that stay in the cache, where its standard Attention writes
/// out all scores. That wins from about this many keys on; below it is a draw or worse.
constexpr std::int64_t kManyKeys = 512;

bool standard_is_as_good(const SymbolicDim& keys, const Model& model, const PassContext& context) {
  const bool few = keys.known() && keys.factor() < kManyKeys;
  return few && context.support->accepts("", "Attention", std::max<std::int64_t>(23, model.opset()));
}

}  // namespace

Status fuse_multi_head_attention(Model& model, PassContext& context) {
  if (context.support == nullptr) return {};
  const auto imported = model.opsets.find(kDomain);
  if (!context.support->accepts(kDomain, kOp, imported == model.opsets.end() ? 1 : imported->second))
    return {};
  if (!has_softmax(model)) return {};
  AttentionRewriter rewriter(model, context);
  rewriter.for_each([&](const AttentionCore& core) {
    Node& product = *core.result->producer();
    // The kernel is for float alone, and takes added masks only. The rest is left to fuse_attention.
    if (core.keep != nullptr || core.result->type.dtype != DType::kFloat32) return;
    const auto form = find_head_form(core, rewriter.shapes());
    if (!form || form->query_heads != form->key_heads ||
        !worth_transposing(form->added_transposes, form->key_length) ||
        standard_is_as_good(form->key_length, model, context))
      return;
    const AttentionOperand& found = core.query;
    const SymbolicShape& query_shape = *rewriter.shapes().shape(found.value);
    const auto hidden = query_shape[static_cast<std::size_t>(found.permutation.back())].times(
        SymbolicDim::of(form->query_heads));
    std::string why = rewriter.check_masks(core, form->query_heads);
    if (why.empty())
      why = rewriter.contradiction(form->query_heads,
                                   hidden.known() ? std::optional(hidden.factor()) : std::nullopt);
    if (!why.empty()) {
      context.decline(product, std::move(why));
      return;
    }
    if (!may_emit_vendor(model, context, kDomain, kOp)) return;
    Value* query = rewriter.source(form->query, product);
    std::vector<Value*> inputs = {query, rewriter.source(form->key, product),
                                  rewriter.source(form->value, product)};
    if (Value* mask = rewriter.mask(core, form->query_heads, query, 1, true, product))
      inputs.insert(inputs.end(), {nullptr, nullptr, mask});  // no bias, no mask of padded keys
    Value* attention =
        rewriter.add(kOp, inputs, DType::kFloat32, rewriter.joined_shape(core, *form), product);
    Node& node = *attention->producer();
    node.domain = kDomain;
    node.attributes["num_heads"] = form->query_heads;
    node.attributes["scale"] = static_cast<float>(form->scale);
    rewriter.replace(form->result, *attention);
    context.changed(product,
                    "fused MatMul, Softmax and MatMul into MultiHeadAttention of ONNX Runtime with " +
                        std::to_string(form->query_heads) + " heads");
  });
  rewriter.finish();
  return {};
}

}  // namespace tarmac

#include <array>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace tarmac {
namespace {

/// The numbers a type holds exactly.
struct Precision {
  DType dtype;
  int significant_bits;  ///< without the sign
  int exponent_bits;     ///< 0: an integer
  bool has_sign;
};

const Precision* precision_of(DType dtype) {
  static constexpr std::array<Precision, 13> kTypes = {{
      {DType::kBool, 1, 0, false},
      {DType::kUint8, 8, 0, false},
      {DType::kUint16, 16, 0, false},
      {DType::kUint32, 32, 0, false},
      {DType::kUint64, 64, 0, false},
      {DType::kInt8, 7, 0, true},
      {DType::kInt16, 15, 0, true},
      {DType::kInt32, 31, 0, true},
      {DType::kInt64, 63, 0, true},
      {DType::kFloat16, 11, 5, true},
      {DType::kBFloat16, 8, 8, true},
      {DType::kFloat32, 24, 8, true},
      {DType::kFloat64, 53, 11, true},
  }};
  for (const Precision& type : kTypes) {
    if (type.dtype == dtype) return &type;
  }
  return nullptr;
}

/// Every number of `from` is one of `through`.
bool lossless(const Precision& from, const Precision& through) {
  return from.significant_bits <= through.significant_bits && from.exponent_bits <= through.exponent_bits &&
         (!from.has_sign || through.has_sign);
}

DType target_of(const Node& cast) { return static_cast<DType>(cast.attribute_or<std::int64_t>("to", 0)); }

void name_target(Node& node, PassContext& context) {
  const Value* like = node.input(1);
  if (like == nullptr || !like->type.is_tensor() || like->type.dtype == DType::kUndefined) return;
  node.op_type = "Cast";
  node.attributes["to"] = static_cast<std::int64_t>(like->type.dtype);
  replace_input(node, 1, nullptr);
  node.truncate_inputs(1);
  context.changed(node, "CastLike became a Cast to a known type");
}

void merge(Node& node, PassContext& context) {
  if (node.is("CastLike")) name_target(node, context);
  if (!node.is("Cast") || node.input(0) == nullptr) return;
  Value& middle = *node.input(0);
  const Node* first = middle.producer();
  if (first == nullptr || !first->is("Cast") || !first->input(0)->type.is_tensor()) return;
  Value& source = *first->input(0);
  const Precision* from = precision_of(source.type.dtype);
  const Precision* through = precision_of(target_of(*first));
  const Precision* to = precision_of(target_of(node));
  if (from == nullptr || through == nullptr || to == nullptr || !lossless(*from, *through)) return;
  // What an integer makes of a float beyond its range is not defined, so it may depend on the float's type.
  if (from->exponent_bits > 0 && to->exponent_bits == 0 && to->dtype != DType::kBool) return;
  context.changed(node, "cast straight from " + std::string(to_string(from->dtype)) + ": '" + first->label() +
                            "' before it loses nothing");
  if (from->dtype == to->dtype) {
    pass_on(node, source);
  } else {
    replace_input(node, 0, &source);
  }
}

}  // namespace

Status merge_casts(Model& model, PassContext& context) {
  visit_nodes(*model.graph, [&](Graph&, Node& node) { merge(node, context); });
  return {};
}

}  // namespace tarmac

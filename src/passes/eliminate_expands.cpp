#include <algorithm>
#include <array>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace tarmac {
namespace {

/// Operators that broadcast all their inputs against each other.
bool broadcasts(const Node& node) {
  static constexpr std::array<std::string_view, 23> kOps = {"Add",       "And",         "BitwiseAnd",
                                                            "BitwiseOr", "BitwiseXor",  "Div",
                                                            "Equal",     "Greater",     "GreaterOrEqual",
                                                            "Less",      "LessOrEqual", "Max",
                                                            "Mean",      "Min",         "Mod",
                                                            "Mul",       "Or",          "Pow",
                                                            "Sub",       "Sum",         "Where",
                                                            "Xor",       "BitShift"};
  return node.domain.empty() && std::find(kOps.begin(), kOps.end(), node.op_type) != kOps.end();
}

/// Whether the reader's result keeps its shape when it reads `source` in place of the expanded value.
bool others_give_shape(const Node& reader, const Value& expanded, const Value& source) {
  const Type& out = reader.output(0)->type;
  if (!out.is_tensor() || !out.shape || !rank_of(&source)) return false;
  for (std::size_t i = 0; i < out.shape->size(); ++i) {
    const std::size_t from_end = out.shape->size() - i;
    const Dim& wanted = (*out.shape)[i];
    // A size comes out when an input certainly has it; that of the others was 1 or the same before.
    const bool given =
        wanted.size == 1 ||
        std::any_of(reader.inputs().begin(), reader.inputs().end(), [&](const Value* input) {
          const Value* read = input == &expanded ? &source : input;
          const auto rank = rank_of(read);
          return rank && *rank >= from_end && same_dim((*read->type.shape)[*rank - from_end], wanted);
        });
    if (!given) return false;
  }
  return true;
}

void eliminate(Node& node, PassContext& context) {
  if (!node.is("Expand") || node.input(0) == nullptr) return;
  Value& expanded = *node.output(0);
  Value& source = *node.input(0);
  std::vector<Node*> readers;
  for (const Use& use : expanded.uses()) {
    if (std::find(readers.begin(), readers.end(), use.node) == readers.end()) readers.push_back(use.node);
  }
  // All or none: one reader that needs it keeps it alive for the others.
  if (readers.empty() || expanded.is_output()) return;
  const bool all = std::all_of(readers.begin(), readers.end(), [&](const Node* reader) {
    return broadcasts(*reader) && others_give_shape(*reader, expanded, source);
  });
  if (!all) return;
  context.changed(node, "its readers broadcast by themselves");
  pass_on(node, source);
}

}  // namespace

Status eliminate_expands(Model& model, PassContext& context) {
  if (model.opset() < 8) return {};
  visit_nodes(*model.graph, [&](Graph&, Node& node) { eliminate(node, context); });
  return {};
}

}  // namespace tarmac

#include "passes/attention_match.h"

#include <algorithm>
#include <cmath>

#include "passes/axis_layout.h"
#include "passes/einsum_terms.h"
#include "passes/rewrite.h"
#include "tensor/codec.h"

namespace tarmac {
namespace {

constexpr std::size_t kMaxAdded = 4;
/// Scores replaced by this or less get probability 0 in every floating-point type: the lowest finite half is
/// -65504.
constexpr double kSurelyMasked = -6e4;
/// Engines transpose both operands and the result of an Einsum.
constexpr int kEinsumTransposes = 3;
/// Constant masks are looked into up to this size.
constexpr std::int64_t kMaxMaskElements = 1 << 24;

Node* sole_reader(const Value& value) {
  return value.uses().size() == 1 && !value.is_output() ? value.uses().front().node : nullptr;
}

std::vector<std::int64_t> in_order(std::size_t rank) {
  std::vector<std::int64_t> permutation;
  for (std::size_t i = 0; i < rank; ++i) permutation.push_back(static_cast<std::int64_t>(i));
  return permutation;
}

std::vector<std::int64_t> last_two_swapped(std::size_t rank) {
  std::vector<std::int64_t> permutation = in_order(rank);
  std::swap(permutation[rank - 1], permutation[rank - 2]);
  return permutation;
}

/// Takes scalar factors off, and Transposes where the operand needs one anyway.
void peel(AttentionOperand& operand, const SymbolicShapes& shapes, double* factor, int& transposes) {
  while (const Node* node = operand.value->producer()) {
    const auto scaling = factor != nullptr ? scaling_of(*node, shapes) : std::nullopt;
    const bool in_place = std::is_sorted(operand.permutation.begin(), operand.permutation.end());
    if (scaling) {
      *factor *= scaling->factor;
      operand.value = scaling->value;
    } else if (node->is("Transpose") && !in_place) {
      const auto inner = permutation_of(*node, operand.permutation.size());
      if (!inner) return;
      for (std::int64_t& axis : operand.permutation) axis = (*inner)[static_cast<std::size_t>(axis)];
      operand.value = node->input(0);
      ++transposes;
    } else {
      return;
    }
  }
}

/// Q·Kᵀ by MatMul or Einsum. The scores must have their axes in order, batch and heads first.
bool read_scores(AttentionCore& core) {
  const Node& node = *core.scores->producer();
  core.query = {node.input(0), in_order(core.rank)};
  core.key = {node.input(1), last_two_swapped(core.rank)};
  if (node.is("MatMul")) return true;
  const auto terms = einsum_terms(node);
  if (!terms || terms->operands.size() != 2 || terms->result.size() != core.rank) return false;
  const std::string batch = terms->result.substr(0, core.rank - 2);
  const char row = terms->result[core.rank - 2];
  const char column = terms->result[core.rank - 1];
  const std::size_t first = terms->operands[0].find(row) == std::string::npos ? 1 : 0;
  const std::string& query = terms->operands[first];
  const std::string& key = terms->operands[1 - first];
  // What both have and the result has not is summed over.
  std::string summed;
  for (const char label : query) {
    if (terms->result.find(label) == std::string::npos) summed += label;
  }
  if (summed.size() != 1) return false;
  const auto query_order = permutation_between(query, batch + row + summed);
  const auto key_order = permutation_between(key, batch + column + summed);
  if (!query_order || !key_order) return false;
  core.transposes += kEinsumTransposes;
  core.query = {node.input(first), *query_order};
  core.key = {node.input(1 - first), *key_order};
  return true;
}

/// P·V by MatMul, Einsum, or turned around as Vᵀ·Pᵀ.
bool read_result(AttentionCore& core, const Value& probabilities, Node& reader) {
  Node* product = &reader;
  const Value* weights = &probabilities;
  const bool turned =
      reader.is("Transpose") && permutation_of(reader, core.rank) == last_two_swapped(core.rank);
  if (turned) {
    weights = reader.output(0);
    product = sole_reader(*weights);
    if (product == nullptr) return false;
  }
  const std::size_t side = turned ? 0 : 1;  // where V is
  if (&product->graph() != &reader.graph() || product->input(1 - side) != weights) return false;
  core.result = product->output(0);
  core.value = {product->input(side), turned ? last_two_swapped(core.rank) : in_order(core.rank)};
  core.result_permutation = core.value.permutation;
  core.transposes += turned ? 1 : 0;
  if (product->is("MatMul")) return true;
  const auto terms = einsum_terms(*product);
  if (!terms || turned || terms->operands.size() != 2 || terms->operands[0].size() != core.rank) return false;
  const std::string batch = terms->operands[0].substr(0, core.rank - 2);
  const char row = terms->operands[0][core.rank - 2];
  const char summed = terms->operands[0][core.rank - 1];
  std::string width;
  for (const char label : terms->operands[1]) {
    if (terms->operands[0].find(label) == std::string::npos) width += label;
  }
  if (width.size() != 1) return false;
  const auto value_order = permutation_between(terms->operands[1], batch + summed + width);
  const auto result_order = permutation_between(batch + row + width, terms->result);
  if (!value_order || !result_order) return false;
  core.transposes += kEinsumTransposes;
  core.value.permutation = *value_order;
  core.result_permutation = *result_order;
  return true;
}

/// Whether every row of a constant boolean mask leaves something to attend to.
bool keeps_some_of_each_row(const Value& mask, bool inverted) {
  const Tensor* tensor = constant_of(&mask);
  if (tensor == nullptr || tensor->count() == 0 || tensor->count() > kMaxMaskElements ||
      tensor->shape().empty())
    return false;
  const auto flags = to_int64s(*tensor);
  if (!flags) return false;
  const auto row = static_cast<std::ptrdiff_t>(tensor->shape().back());
  for (auto it = flags->begin(); it != flags->end(); it += row) {
    if (std::all_of(it, it + row, [inverted](std::int64_t flag) { return (flag != 0) == inverted; }))
      return false;
  }
  return true;
}

/// Shifted windows: scores [N·W, H, S, M] get a mask for each of the W windows as [N, W, H, S, M].
struct WindowMask {
  Value* scores = nullptr;
  AddedMask mask;
};
std::optional<WindowMask> window_mask(const Node& joins, const SymbolicShapes& shapes) {
  const Node* add = joins.input(0)->producer();
  if (add == nullptr || !add->is("Add") || sole_reader(*add->output(0)) == nullptr) return std::nullopt;
  for (const std::size_t side : {0U, 1U}) {
    const Node* splits = add->input(side)->producer();
    if (splits == nullptr || !splits->is("Reshape") || sole_reader(*splits->output(0)) == nullptr) continue;
    Value* mask = add->input(1 - side);
    const SymbolicShape* before = shapes.shape(splits->input(0));
    const SymbolicShape* split = shapes.shape(splits->output(0));
    const SymbolicShape* after = shapes.shape(joins.output(0));
    const SymbolicShape* dims = shapes.shape(mask);
    if (before == nullptr || split == nullptr || after == nullptr || dims == nullptr || split->size() != 5 ||
        before->size() != 4 || dims->size() != 5 || !(*before == *after))
      continue;
    const bool fits = (*split)[0].known() && (*split)[1].known() && (*dims)[0].is(1) &&
                      (*dims)[1] == (*split)[1] && (*dims)[2].is(1) && (*dims)[3] == (*before)[2] &&
                      (*dims)[4] == (*before)[3] && (*split)[2] == (*before)[1] &&
                      (*split)[3] == (*before)[2] && (*split)[4] == (*before)[3] && (*dims)[3].known() &&
                      (*dims)[4].known();
    if (fits) return WindowMask{splits->input(0), {mask, (*split)[0].factor()}};
  }
  return std::nullopt;
}

/// From the input of Softmax back to Q·Kᵀ; `within`: the graph of the Softmax.
bool walk_scores(Value* value, const Graph& within, const SymbolicShapes& shapes, bool scaled,
                 AttentionCore& core, std::string& why) {
  Node* node = value->producer();
  if (node == nullptr || &node->graph() != &within || sole_reader(*value) == nullptr) return false;
  if (node->is("MatMul") || node->is("Einsum")) {
    core.scores = value;
    return true;
  }
  if (const auto scaling = scaling_of(*node, shapes)) {
    core.scale *= scaling->factor;
    return walk_scores(scaling->value, within, shapes, true, core, why);
  }
  // A scale after the mask would apply to the mask as well.
  if (scaled) return false;
  if (node->is("Add") && core.added.size() < kMaxAdded) {
    for (const std::size_t side : {0U, 1U}) {
      AttentionCore attempt = core;
      attempt.added.push_back({node->input(1 - side)});
      if (!walk_scores(node->input(side), within, shapes, false, attempt, why)) continue;
      core = std::move(attempt);
      return true;
    }
    return false;
  }
  if (node->is("Reshape") && core.added.size() < kMaxAdded && core.keep == nullptr) {
    const auto windows = window_mask(*node, shapes);
    if (!windows) return false;
    core.added.push_back(windows->mask);
    return walk_scores(windows->scores, within, shapes, false, core, why);
  }
  if (!node->is("Where") || core.keep != nullptr || !core.added.empty()) return false;
  for (const std::size_t side : {1U, 2U}) {
    const auto fill = shapes.scalar(node->input(3 - side));
    if (!fill) continue;
    AttentionCore attempt = core;
    attempt.keep = node->input(0);
    attempt.keep_is_inverted = side == 2;
    if (!walk_scores(node->input(side), within, shapes, false, attempt, why)) continue;
    // Added masks would have to come first; one input of the operator cannot hold both.
    if (!attempt.added.empty() || *fill > kSurelyMasked) return false;
    if (std::isfinite(*fill) && !keeps_some_of_each_row(*attempt.keep, attempt.keep_is_inverted)) {
      why =
          "scores are masked by a finite number: for a row with nothing left the graph gives the mean of V, "
          "the "
          "operator zeros. Mask by -inf to have it fused";
      return false;
    }
    core = std::move(attempt);
    return true;
  }
  return false;
}

/// Some exporters put zeros where a row of scores was all -inf, as the operator does: the value after that.
Value* guarded(Value& probabilities) {
  if (probabilities.uses().size() != 2 || probabilities.is_output()) return &probabilities;
  for (const Use& use : probabilities.uses()) {
    const Node* where = use.node;
    if (!where->is("Where") || where->input(2) != &probabilities) continue;
    const Node* check = where->input(0) == nullptr ? nullptr : where->input(0)->producer();
    const Tensor* zero = constant_of(where->input(1));
    if (check == nullptr || !check->is("IsNaN") || check->input(0) != &probabilities || zero == nullptr ||
        zero->count() != 1 || sole_reader(*check->output(0)) == nullptr)
      continue;
    const auto number = to_doubles(*zero);
    if (number && number->front() == 0.0) return where->output(0);
  }
  return &probabilities;
}

}  // namespace

std::optional<AttentionCore> match_attention(const Node& softmax, const SymbolicShapes& shapes,
                                             std::int64_t opset, std::string& why) {
  Value* probabilities = softmax.output(0);
  const SymbolicShape* shape = shapes.shape(softmax.input(0));
  if (!softmax.is("Softmax") || probabilities == nullptr || shape == nullptr) return std::nullopt;
  const auto last = static_cast<std::int64_t>(shape->size()) - 1;
  const std::int64_t axis = softmax.attribute_or<std::int64_t>("axis", opset < 13 ? 1 : -1);
  if ((last != 2 && last != 3) || (axis != -1 && axis != last)) return std::nullopt;
  AttentionCore core;
  core.rank = shape->size();
  probabilities = guarded(*probabilities);
  Node* reader = sole_reader(*probabilities);
  if (reader == nullptr || &reader->graph() != &softmax.graph()) return std::nullopt;
  if (!read_result(core, *probabilities, *reader)) return std::nullopt;
  if (!walk_scores(softmax.input(0), softmax.graph(), shapes, false, core, why)) return std::nullopt;
  if (!read_scores(core)) return std::nullopt;
  for (AttentionOperand* operand : {&core.query, &core.key, &core.value}) {
    const SymbolicShape* dims = shapes.shape(operand->value);
    if (dims == nullptr || dims->size() != core.rank) return std::nullopt;
    peel(*operand, shapes, operand == &core.value ? nullptr : &core.scale, core.transposes);
  }
  // The operator takes the root of the scale.
  if (!std::isfinite(core.scale) || core.scale <= 0.0) return std::nullopt;
  return core;
}

Value* before_repetition(const Value& value, const SymbolicShapes& shapes) {
  const Node* reshape = value.producer();
  if (reshape == nullptr || !reshape->is("Reshape")) return nullptr;
  const Node* expand = reshape->input(0)->producer();
  if (expand == nullptr || !expand->is("Expand")) return nullptr;
  const Node* unsqueeze = expand->input(0)->producer();
  if (unsqueeze == nullptr || !unsqueeze->is("Unsqueeze")) return nullptr;
  Value* source = unsqueeze->input(0);
  const SymbolicShape* in = shapes.shape(source);
  const SymbolicShape* added = shapes.shape(expand->input(0));
  const SymbolicShape* wide = shapes.shape(expand->output(0));
  const SymbolicShape* out = shapes.shape(&value);
  if (in == nullptr || added == nullptr || wide == nullptr || out == nullptr || in->size() != 4 ||
      wide->size() != 5 || added->size() != 5 || out->size() != 4)
    return nullptr;
  const bool repeats = (*in)[0] == (*wide)[0] && (*in)[1] == (*wide)[1] && (*added)[2].is(1) &&
                       (*wide)[2].known() && (*in)[2] == (*wide)[3] && (*in)[3] == (*wide)[4] &&
                       (*out)[0] == (*in)[0] && (*out)[1] == (*wide)[1].times((*wide)[2]) &&
                       (*out)[2] == (*in)[2] && (*out)[3] == (*in)[3];
  return repeats ? source : nullptr;
}

}  // namespace tarmac

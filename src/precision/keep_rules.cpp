#include "precision/keep_rules.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "passes/pass.h"
#include "tensor/codec.h"

namespace tarmac {
namespace {

using Kept = std::map<const Node*, std::string>;

constexpr const char* kNormalisation = "normalisation: squares and differences near zero need float32";
constexpr const char* kSoftmax = "softmax: exponentials and their sum need float32";
constexpr const char* kExponential = "exponentials, logarithms and powers leave the range of 16 bits quickly";
constexpr const char* kRunningSum = "running sum: small terms vanish against a large sum";
constexpr const char* kPositions = "positions: counts on beyond what 16 bits hold exactly";
constexpr const char* kCoordinates = "sampling coordinates: rounding would move what is read";

constexpr std::array<std::pair<const char*, const char*>, 26> kByOperator = {{
    {"LayerNormalization", kNormalisation},
    {"RMSNormalization", kNormalisation},
    {"SimplifiedLayerNormalization", kNormalisation},
    {"GroupNormalization", kNormalisation},
    {"InstanceNormalization", kNormalisation},
    {"LpNormalization", kNormalisation},
    {"MeanVarianceNormalization", kNormalisation},
    {"LRN", kNormalisation},
    {"Softmax", kSoftmax},
    {"LogSoftmax", kSoftmax},
    {"ReduceLogSumExp", kSoftmax},
    {"Exp", kExponential},
    {"Log", kExponential},
    {"Pow", kExponential},
    {"ReduceLogSum", kExponential},
    {"ReduceSumSquare", kExponential},
    {"ReduceL2", kExponential},
    {"CumSum", kRunningSum},
    {"CumProd", kRunningSum},
    {"Range", kPositions},
    {"GridSample", kCoordinates},
    {"AffineGrid", kCoordinates},
    {"RoiAlign", kCoordinates},
    {"MaxRoiPool", kCoordinates},
    {"DeformConv", kCoordinates},
    {"NonMaxSuppression", kCoordinates},
}};

bool among(const Node* node, std::initializer_list<const char*> names) {
  return node != nullptr && node->domain.empty() &&
         std::any_of(names.begin(), names.end(), [&](const char* name) { return node->op_type == name; });
}

const Node* maker(const Value* value) { return value == nullptr ? nullptr : value->producer(); }

bool is_number(const Value* value, double wanted) {
  const Tensor* tensor = constant_of(value);
  if (tensor == nullptr || tensor->count() != 1) return false;
  const auto numbers = to_doubles(*tensor);
  return numbers && numbers->front() == wanted;
}

bool is_square(const Node* node) {
  if (node == nullptr) return false;
  return (node->is("Mul") && node->input(0) == node->input(1)) ||
         (node->is("Pow") && is_number(node->input(1), 2));
}

bool is_reduction(const Node* node) {
  return among(node, {"ReduceMean", "ReduceSum", "GlobalAveragePool", "ReduceL2", "ReduceSumSquare"});
}

/// A root, or a power of a half and minus a half.
bool is_root(const Node& node) {
  return node.is("Sqrt") ||
         (node.is("Pow") && (is_number(node.input(1), 0.5) || is_number(node.input(1), -0.5)));
}

/// Collects the nodes between a root and the mean of squares below it, both sides of E[x²] − E[x]² included.
/// False when there is no such mean within a few steps.
bool collect_variance(const Node* node, int depth, std::vector<const Node*>& found) {
  if (node == nullptr || depth == 0) return false;
  if (is_reduction(node)) {
    const Node* square = maker(node->input(0));
    const bool squares = among(node, {"ReduceL2", "ReduceSumSquare"});
    if (!squares && !is_square(square)) return false;
    found.push_back(node);
    if (squares) return true;
    found.push_back(square);
    const Node* difference = maker(square->input(0));
    if (among(difference, {"Sub"})) {
      found.push_back(difference);
      if (is_reduction(maker(difference->input(1)))) found.push_back(maker(difference->input(1)));
    }
    return true;
  }
  if (!among(node, {"Add", "Sub", "Max", "Clip", "Mul", "Div", "Cast", "Relu", "Abs", "Reshape", "Unsqueeze",
                    "Squeeze"}))
    return false;
  bool reached = false;
  for (const Value* input : node->inputs()) {
    const Node* below = maker(input);
    reached = collect_variance(below, depth - 1, found) || reached;
    // The squared mean of E[x²] − E[x]².
    if (reached && is_square(below)) found.push_back(below);
  }
  if (reached) found.push_back(node);
  return reached;
}

void keep_decomposed_normalisation(const Node& root, Kept& kept) {
  constexpr int kSteps = 5;
  std::vector<const Node*> found;
  if (!collect_variance(maker(root.input(0)), kSteps, found)) return;
  found.push_back(&root);
  // The root divides, by itself or through its reciprocal.
  for (const Use& use : root.output(0)->uses()) {
    if (!among(use.node, {"Div", "Mul", "Reciprocal"})) continue;
    found.push_back(use.node);
    if (!among(use.node, {"Reciprocal"}) && constant_of(use.node->input(0)) == nullptr) continue;
    for (const Use& next : use.node->output(0)->uses()) {
      if (among(next.node, {"Mul"})) found.push_back(next.node);
    }
  }
  for (const Node* node : found) kept.emplace(node, kNormalisation);
}

/// Layers of the network make numbers; before them there are no coordinates. A product over a short axis is
/// geometry: a projection of points.
bool is_layer(const Node& node) {
  constexpr std::int64_t kGeometry = 16;
  if (among(&node, {"MatMul", "Gemm"})) {
    const Value* left = node.input(0);
    if (left == nullptr || !left->type.shape || left->type.shape->empty()) return true;
    const bool transposed = node.attribute_or<std::int64_t>("transA", 0) != 0;
    const Dim& inner = transposed ? left->type.shape->front() : left->type.shape->back();
    return !inner.known() || *inner.size > kGeometry;
  }
  return among(&node,
               {"Conv", "ConvTranspose", "LSTM", "GRU", "RNN", "Attention", "Einsum", "GridSample",
                "RoiAlign", "DeformConv", "If", "Loop", "Scan", "MaxPool", "AveragePool", "Softmax"}) ||
         !node.domain.empty();
}

/// Walks from a value of coordinates to where they come from.
void keep_chain(const Value* coordinates, std::size_t max_nodes, const std::string& reason, Kept& kept) {
  std::vector<const Value*> open = {coordinates};
  std::set<const Node*> seen;
  while (!open.empty() && seen.size() < max_nodes) {
    const Node* node = maker(open.back());
    open.pop_back();
    if (node == nullptr || is_layer(*node) || !seen.insert(node).second) continue;
    kept.emplace(node, reason);
    // A layer's bias is its last step: what else meets it there is no coordinate yet.
    const bool ends_layer = std::any_of(node->inputs().begin(), node->inputs().end(), [](const Value* input) {
      return maker(input) != nullptr && is_layer(*maker(input));
    });
    const bool is_bias = ends_layer && among(node, {"Add"}) && node->inputs().size() == 2 &&
                         (constant_of(node->input(0)) != nullptr || constant_of(node->input(1)) != nullptr);
    if (is_bias) continue;
    for (const Value* input : node->inputs()) {
      const bool is_float =
          input != nullptr && input->type.is_tensor() && is_floating_point(input->type.dtype);
      if (is_float) open.push_back(input);
    }
  }
}

/// The inputs of a node that say where to read.
std::vector<std::size_t> coordinate_inputs(const Node& node) {
  if (among(&node, {"GridSample", "RoiAlign", "MaxRoiPool", "DeformConv"})) return {1};
  if (among(&node, {"AffineGrid", "NonMaxSuppression"})) return {0};
  if (among(&node, {"Resize"})) return {1, 2};
  if (among(&node, {"Upsample"})) return {1};
  if (among(&node, {"Range"})) return {0, 1, 2};
  return {};
}

bool makes_indices(const Node& node) {
  if (!node.is("Cast") || node.output(0) == nullptr) return false;
  const auto to = static_cast<DType>(node.attribute_or<std::int64_t>("to", 0));
  return (to == DType::kInt64 || to == DType::kInt32) && node.input(0)->type.is_tensor() &&
         is_floating_point(node.input(0)->type.dtype);
}

}  // namespace

Kept nodes_to_keep(const Model& model) {
  constexpr std::size_t kLongChain = 10000;
  constexpr std::size_t kIndexChain = 8;  // most casts to integers are not positions of a whole backbone
  Kept kept;
  // First what says most: a square is part of a normalisation rather than a power.
  for_each_node(*model.graph, [&](const Node& node) {
    if (is_root(node)) keep_decomposed_normalisation(node, kept);
  });
  for_each_node(*model.graph, [&](const Node& node) {
    for (const auto& [op_type, reason] : kByOperator) {
      const bool vendor_form = node.op_type == "SimplifiedLayerNormalization";
      if (node.op_type == op_type && (node.domain.empty() || vendor_form)) kept.emplace(&node, reason);
    }
    if (draws_random_numbers(node) && !node.is("Dropout"))
      kept.emplace(&node, "draws random numbers, which differ by type");
    if (node.attribute_or<std::int64_t>("training_mode", 0) != 0)
      kept.emplace(&node, "training: running averages need float32");
    for (const std::size_t i : coordinate_inputs(node)) {
      const bool is_float = node.input(i) != nullptr && node.input(i)->type.is_tensor() &&
                            is_floating_point(node.input(i)->type.dtype);
      if (is_float)
        keep_chain(node.input(i), kLongChain,
                   "sampling coordinates of " + node.op_type + " '" + node.label() + "'", kept);
    }
    if (makes_indices(node)) {
      kept.emplace(&node, "becomes whole numbers, where rounding counts");
      keep_chain(node.input(0), kIndexChain, "becomes whole numbers in '" + node.label() + "'", kept);
    }
  });
  return kept;
}

}  // namespace tarmac

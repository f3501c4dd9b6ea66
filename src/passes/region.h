// What fusions of many nodes share. Decomposed operators come in so many spellings that patterns
// (graph/pattern.h) would be a list for each; these passes walk backwards by hand and collect what they meet.
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "passes/pass.h"
#include "passes/rewrite.h"

namespace tarmac {

/// ONNX Runtime's own operators.
inline constexpr const char* kMicrosoftDomain = "com.microsoft";

/// Whether the model may be upgraded to `since` for a standard operator that the targets run: then a vendor's
/// stays out. Without targets the answer is no.
bool standard_accepted(const Model& model, const PassContext& context, std::string_view op_type,
                       std::int64_t since);

/// The nodes that one fusion replaces, collected backwards from the one that computes the result.
class Region {
 public:
  explicit Region(Graph& graph) : graph_(&graph) {}

  /// The node whose first output is `value`, when it is an ONNX operator of this type in this graph; it
  /// joins.
  Node* take(const Value* value, std::string_view op_type);
  /// Follows `value` backwards through up to four casts from one float type to another; they join.
  Value* take_casts(Value* value);
  /// For alternatives: what was taken since mark() is let go again.
  [[nodiscard]] std::size_t mark() const { return nodes_.size(); }
  void rewind(std::size_t mark) { nodes_.resize(mark); }

  [[nodiscard]] Graph& graph() const { return *graph_; }
  /// Whether nothing outside reads what the nodes compute, apart from `result`.
  [[nodiscard]] bool closed(const Value& result) const;
  /// The readers of `result` get `replacement`, a new value of this graph; the nodes are erased.
  void replace(Value& result, Value& replacement);

 private:
  [[nodiscard]] bool contains(const Node* node) const;
  Graph* graph_;
  std::vector<Node*> nodes_;
};

/// A new node in front of `root` that takes over its name, with one output of the type that `result` has.
Value& add_fused(Graph& graph, std::string op_type, std::vector<Value*> inputs, Node& root,
                 const Value& result);

/// Visits the nodes of the graph and of graphs nested in it from the last to the first. `visit` may put nodes
/// in front of the one it gets, and erase that one and nodes before it; it says whether it did.
Status rewrite_backwards(Graph& graph, const std::function<Result<bool>(Graph&, Node&)>& visit);

/// float32, float16 or bfloat16. Fused operators compute in float at best: float64 would lose digits.
bool is_float_up_to_32(const Type& type);

/// The only reader apart from Shape nodes; null where there are more, or the value is an output.
Node* reader_besides_shapes(const Value& value);

/// The number in a constant of one element; no value when broadcasting it with `operand` may add axes.
std::optional<double> scalar_beside(const Value* constant, const Value* operand);
/// Equal but for the rounding of a few constants to `dtype`.
bool nearly(double found, double expected, DType dtype);

/// scale · factors[0] · factors[1] · …
struct Product {
  double scale = 1;
  std::vector<Value*> factors;
};
/// Multiplies out Mul, Div by a number, Pow 2 and Pow 3 behind `value`, through values that are read once; a
/// dozen nodes at most. What it multiplies out joins the region.
Product take_product(Value* value, Region& region);

/// One operand of a commutative node with two inputs, and the other; second = 0 or 1.
inline std::pair<Value*, Value*> operands(const Node& node, std::size_t first) {
  return {node.input(first), node.input(1 - first)};
}

}  // namespace tarmac

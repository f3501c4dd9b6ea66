// Shapes as exporters compute them: sizes that are products of a number and of named unknowns, followed
// through Shape, Gather, Mul, Concat and Reshape. onnx's own inference loses a product with an unknown factor
// (b·8).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "graph/graph.h"

namespace tarmac {

/// factor · Π symbols. Two sizes that compare equal are equal at every run; unequal ones may be too.
class SymbolicDim {
 public:
  static SymbolicDim of(std::int64_t size) { return SymbolicDim(size, {}); }
  static SymbolicDim unknown(std::string symbol) { return SymbolicDim(1, {std::move(symbol)}); }

  [[nodiscard]] bool known() const { return symbols_.empty(); }
  [[nodiscard]] std::int64_t factor() const { return factor_; }  ///< the size itself where it is known
  [[nodiscard]] bool is(std::int64_t size) const { return known() && factor_ == size; }
  [[nodiscard]] SymbolicDim times(const SymbolicDim& other) const;
  /// Nothing where the sum is not a size of this form.
  [[nodiscard]] std::optional<SymbolicDim> plus(const SymbolicDim& other) const;
  /// Nothing where the quotient is not a size of this form for certain.
  [[nodiscard]] std::optional<SymbolicDim> divided_by(const SymbolicDim& other) const;
  bool operator==(const SymbolicDim&) const = default;

 private:
  SymbolicDim(std::int64_t factor, std::vector<std::string> symbols)
      : factor_(factor), symbols_(std::move(symbols)) {}
  std::int64_t factor_ = 1;
  std::vector<std::string> symbols_;  ///< sorted
};

using SymbolicShape = std::vector<SymbolicDim>;
SymbolicDim product(const SymbolicShape& dims);

/// What attention takes for granted where a Reshape splits or joins heads by sizes that the graph does not
/// tell.
struct HeadsOverride {
  std::optional<std::int64_t> heads;
  std::optional<std::int64_t> hidden_size;
};

/// The shapes of all values of a graph and of those nested in it, found in one walk over the nodes.
class SymbolicShapes {
 public:
  explicit SymbolicShapes(const Graph& graph, HeadsOverride heads = {});

  /// Null where not even the rank is known.
  [[nodiscard]] const SymbolicShape* shape(const Value* value) const;
  /// The number in a floating-point or integer tensor of one element, known from constants and shapes.
  [[nodiscard]] std::optional<double> scalar(const Value* value) const { return scalar(value, 0); }
  using MaybeDim = std::optional<SymbolicDim>;
  using MaybeShape = std::vector<MaybeDim>;
  /// The elements of an integer tensor of rank 0 or 1, such as a shape.
  [[nodiscard]] std::optional<MaybeShape> elements(const Value* value) const;
  /// For values that a pass adds.
  void set(const Value& value, SymbolicShape shape) { shapes_.insert_or_assign(&value, std::move(shape)); }

 private:
  void visit(const Graph& graph);
  void record(const Value& value, const std::optional<MaybeShape>& found);
  [[nodiscard]] std::optional<double> scalar(const Value* value, int depth) const;
  [[nodiscard]] std::optional<std::vector<std::int64_t>> integers(const Value* value) const;
  [[nodiscard]] std::optional<MaybeShape> elements_from(const Node& node) const;
  [[nodiscard]] std::optional<MaybeShape> shape_from(const Node& node, std::size_t output) const;
  [[nodiscard]] std::optional<MaybeShape> broadcast(const Node& node) const;
  [[nodiscard]] std::optional<MaybeShape> reshaped(const Node& node) const;
  [[nodiscard]] std::optional<MaybeShape> vendor_shape(const Node& node, std::size_t output) const;
  [[nodiscard]] static std::optional<MaybeShape> reduced(const Node& node, const SymbolicShape& in);
  [[nodiscard]] std::optional<MaybeShape> summed(const Node& node) const;
  [[nodiscard]] std::optional<MaybeShape> sliced(const Node& node, const SymbolicShape& in) const;
  [[nodiscard]] std::optional<MaybeShape> multiplied(const Node& node) const;
  [[nodiscard]] MaybeDim joined(const Node& node, std::size_t axis) const;

  HeadsOverride heads_;
  mutable std::unordered_map<const Value*, SymbolicShape>
      shapes_;  ///< those of constants come when asked for
  std::unordered_map<const Value*, MaybeShape> elements_;
};

/// `axes` of Squeeze, Unsqueeze and the like, from the attribute or the constant input `index`.
std::optional<std::vector<std::int64_t>> axes_of(const Node& node, std::size_t index);
/// A possibly negative axis as an index; nothing when it is out of range.
std::optional<std::size_t> axis_index(std::int64_t axis, std::size_t rank);
/// A constant integer tensor's elements, up to a few dozen; nothing otherwise.
std::optional<std::vector<std::int64_t>> small_integers(const Value* value);

}  // namespace tarmac

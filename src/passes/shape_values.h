// What is known of small integer tensors before a model runs: sizes of other tensors and arithmetic with
// them.
#pragma once

#include <optional>
#include <unordered_map>
#include <vector>

#include "graph/graph.h"

namespace tarmac {

/// Elements of an integer tensor of rank 0 or 1. A known size is the element's number; a symbol stands for
/// that (non-negative) size of a tensor; neither: unknown.
struct ShapeValue {
  bool is_scalar = false;
  DType dtype = DType::kInt64;
  std::vector<Dim> elements;

  [[nodiscard]] bool known() const;
};

/// Tensors with more elements are of no interest.
inline constexpr std::size_t kMaxShapeElements = 1024;

/// Follows shapes through a graph in execution order.
class ShapeValues {
 public:
  /// Notes what is known of the node's outputs.
  void visit(const Node& node);
  /// What is known of a value, constants included; nullopt when it is no small integer tensor or nothing is
  /// known of its length.
  [[nodiscard]] std::optional<ShapeValue> find(const Value* value) const;

 private:
  std::unordered_map<const Value*, ShapeValue> values_;
};

}  // namespace tarmac

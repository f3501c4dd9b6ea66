// Which inputs and outputs of an operator may be of which type, by onnx's schemas.
#pragma once

#include <cstdint>
#include <string>

#include "graph/graph.h"

namespace tarmac {

/// float32 tensors of a node: as declared, or found by shape inference.
bool is_float32(const Value* value);

/// The schemas of a model's operator sets, asked for one 16-bit type.
class FloatSlots {
 public:
  FloatSlots(const Model& model, DType type) : model_(model), type_(type) {}

  /// Whether the schema lets input or output `i` of this node be of the type. False without a schema.
  [[nodiscard]] bool input_may_be(const Node& node, std::size_t i) const;
  [[nodiscard]] bool output_may_be(const Node& node, std::size_t i) const;
  /// Why a node has no such slot, for people, with a remedy where a newer operator set has one.
  [[nodiscard]] std::string obstacle(const Node& node) const;

 private:
  const Model& model_;
  DType type_;
};

}  // namespace tarmac

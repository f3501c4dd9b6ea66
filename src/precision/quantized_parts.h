// Reading a Q/DQ model: what stands before and behind a node.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace tarmac {

/// x ≈ (integers − zero_point)·scale, from a DequantizeLinear with a stored float32 scale.
struct QuantizedValue {
  Node* dequantize = nullptr;
  Value* integers = nullptr;
  Value* scale = nullptr;
  Value* zero_point = nullptr;  ///< null: 0
  [[nodiscard]] DType dtype() const;
  /// One scale for the whole tensor.
  [[nodiscard]] bool per_tensor() const;
};

/// nullopt where the value does not come from a DequantizeLinear with a stored scale and no blocks.
std::optional<QuantizedValue> quantized_value(const Value* value);

/// The zero point, made and stored where it is left out.
Value* zero_point_of(const QuantizedValue& value);

/// A node's result in integers: the only thing that reads it, or the activation behind it, is a
/// QuantizeLinear with a stored scale for the whole tensor.
struct QuantizedResult {
  Node* quantize = nullptr;
  Node* activation = nullptr;  ///< a Relu or Clip that rounding to these integers implies; null: none
  Value* scale = nullptr;
  Value* zero_point = nullptr;
  [[nodiscard]] DType dtype() const;
};

/// The result, or why it cannot be had in integers.
struct ResultOrReason {
  std::optional<QuantizedResult> result;
  std::string reason;
};
ResultOrReason quantized_result(Node& node);

/// The scale as a number; of a per-tensor value.
float scale_number(const Value& scale);
/// Both have the same scale and zero point.
bool same_parameters(const QuantizedValue& value, const QuantizedResult& result);

}  // namespace tarmac

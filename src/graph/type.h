// Types of graph values: ONNX TypeProto as plain structs.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tarmac/tensor.h"

namespace tarmac {

/// One dimension: a known size, a symbol ("batch"), or unknown.
struct Dim {
  std::optional<std::int64_t> size;
  std::string symbol;      ///< empty unless the size is symbolic
  std::string denotation;  ///< ONNX dimension denotation; usually empty

  static Dim of(std::int64_t size) { return {size, {}, {}}; }
  static Dim named(std::string symbol) { return {std::nullopt, std::move(symbol), {}}; }
  [[nodiscard]] bool known() const { return size.has_value(); }
  bool operator==(const Dim&) const = default;
};

/// What is known of a value. kNone: nothing.
struct Type {
  enum class Kind : std::uint8_t { kNone, kTensor, kSparseTensor, kSequence, kOptional, kMap, kOther };

  Kind kind = Kind::kNone;
  DType dtype = DType::kUndefined;        ///< element type of tensors; key type of maps
  std::optional<std::vector<Dim>> shape;  ///< nullopt: unknown rank
  std::shared_ptr<const Type> element;    ///< of sequences, optionals and maps
  std::string denotation;

  static Type tensor(DType dtype, std::optional<std::vector<Dim>> shape = std::nullopt);
  static Type tensor(DType dtype, const Shape& shape);

  [[nodiscard]] bool is_tensor() const { return kind == Kind::kTensor; }
  /// The sizes when every one is known.
  [[nodiscard]] std::optional<Shape> static_shape() const;
  bool operator==(const Type& other) const;
};

/// "float32[batch, 3, ?, 224]", "seq(int64[])", "?".
std::string to_string(const Type& type);

}  // namespace tarmac

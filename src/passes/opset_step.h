// One operator, from one of its definitions to the next newer or older one.
#pragma once

#include <onnx/defs/schema.h>

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace tarmac::opset {

/// What an adapter works on. It first decides whether it can, and then rewrites.
struct Step {
  Node& node;
  std::vector<Node*> added;  ///< nodes that the adapter made, written for the version that it leads to

  [[nodiscard]] Graph& graph() const { return node.graph(); }
  /// The numbers of a constant integer input; nullopt when it is absent or computed.
  [[nodiscard]] std::optional<std::vector<std::int64_t>> integers(std::size_t input) const;
  [[nodiscard]] std::optional<std::int64_t> rank(std::size_t input = 0) const;
  [[nodiscard]] DType dtype(std::size_t input = 0) const;
  [[nodiscard]] bool has(std::string_view attribute) const { return node.attributes.contains(attribute); }
  /// A new constant of the node's graph, named after the node.
  Value& constant(Tensor tensor, const std::string& what) const;
  Value& integers_constant(const std::vector<std::int64_t>& values, const std::string& what) const;
  /// Puts `value` (or null) at input `i`, leaving out those between.
  void put_input(std::size_t i, Value* value) const;
  /// Drops inputs that are left out at the end.
  void trim_inputs() const;
  /// An attribute becomes input `i`, a constant int64 vector.
  void attribute_to_input(const char* attribute, std::size_t i) const;
  /// A new node before or (taking over the node's output) behind the node.
  Value& before(std::string op_type, std::vector<Value*> inputs, const std::string& what);
  Node& behind(std::string op_type, std::vector<Value*> further_inputs);
};

using Adapter = Status (*)(Step& step);

/// Whether every axis lies in [-rank, rank).
bool are_axes(const std::vector<std::int64_t>& axes, std::int64_t rank);

/// Values for some axes (are_axes()) become values for all: `fill` elsewhere.
template <typename T>
std::vector<T> spread_over_axes(const std::vector<T>& values, const std::vector<std::int64_t>& axes,
                                std::int64_t rank, T fill) {
  std::vector<T> all(static_cast<std::size_t>(rank), fill);
  for (std::size_t i = 0; i < axes.size() && i < values.size(); ++i)
    all[static_cast<std::size_t>(axes[i] < 0 ? axes[i] + rank : axes[i])] = values[i];
  return all;
}

/// kUnsupported with the reason; the caller adds the node and the versions.
Error refuse(std::string reason);

struct AdapterRow {
  const char* op_type;
  std::int64_t version;  ///< since_version of the newer definition
  Adapter adapter;
};
/// The row's adapter; null when there is none.
Adapter find_adapter(std::span<const AdapterRow> rows, const std::string& op_type, std::int64_t version);

/// What changes in meaning between definitions; null where names and types alone say all. `version` is the
/// newer definition's since_version.
Adapter find_upgrade(const std::string& op_type, std::int64_t version);
Adapter find_downgrade(const std::string& op_type, std::int64_t version);
/// The part of find_downgrade() that is about Resize and Upsample.
Adapter find_resize_downgrade(const std::string& op_type, std::int64_t version);

/// The definition of an ONNX operator in a version of the set; null when there is none.
const onnx::OpSchema* find_schema(const std::string& op_type, std::int64_t version);

/// Makes a node that follows `from` follow `to`: attributes that `to` lacks go where they say what is the
/// case anyway, defaults that differ are written out. Refuses attributes, inputs, outputs and types that `to`
/// does not have.
Status fit(Node& node, const onnx::OpSchema& from, const onnx::OpSchema& to);

/// Replaces the node, which follows the set's version `at`, by ONNX's definition of it through other
/// operators; the best one for reaching version `to`. `written_for` tells which version that is. It must
/// have one; refuses where that does not fit the node's types.
Result<std::vector<Node*>> decompose(const Model& model, Node& node, std::int64_t at, std::int64_t to,
                                     std::int64_t& written_for);

}  // namespace tarmac::opset

// Node attributes: ONNX AttributeProto as one value.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "graph/type.h"

namespace tarmac {

class Graph;

/// Inside a local function: the value comes from the calling node's attribute of this name.
struct AttributeReference {
  std::string name;
  int type = 0;  ///< AttributeProto.AttributeType
  bool operator==(const AttributeReference&) const = default;
};

/// Kinds that Tarmac carries without looking inside (sparse tensors): the serialised AttributeProto.
struct OpaqueAttribute {
  std::string proto;
  bool operator==(const OpaqueAttribute&) const = default;
};

using GraphPtr = std::unique_ptr<Graph>;

using Attribute =
    std::variant<std::int64_t, float, std::string, Tensor, GraphPtr, Type, std::vector<std::int64_t>,
                 std::vector<float>, std::vector<std::string>, std::vector<Tensor>, std::vector<GraphPtr>,
                 std::vector<Type>, AttributeReference, OpaqueAttribute>;

}  // namespace tarmac

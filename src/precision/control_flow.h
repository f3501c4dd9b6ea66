// What walking If and Loop needs.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "graph/graph.h"

namespace tarmac {

/// A node that cannot be walked tensor by tensor: it has nested graphs other than those of If and Loop, or
/// handles sequences, optionals or maps.
bool runs_as_one_piece(const Node& node);

/// Gives inputs of Loop bodies that declare no type the one of the value that comes in. True when any was.
bool fill_body_types(Graph& graph);

struct LoopState {
  bool going = true;
  std::int64_t max_trips = std::numeric_limits<std::int64_t>::max();
  std::vector<Tensor> carried;
  std::vector<std::vector<Tensor>> scanned;  ///< one tensor a trip
};

/// The one element of a condition or trip count. kInvalidModel when there is not exactly one.
Result<bool> scalar_bool(const Tensor& tensor, const Node& node);
Result<std::int64_t> scalar_integer(const Tensor& tensor, const Node& node);

/// The trips' tensors along a new first axis; without a trip the shape comes from the declared type of
/// `value`. kInvalidInput when their shapes differ.
Result<Tensor> stack(const std::vector<Tensor>& trips, const Value& value);

}  // namespace tarmac

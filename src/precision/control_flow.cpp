#include "precision/control_flow.h"

#include <cstring>

#include "precision/node_runner.h"
#include "precision/rounding.h"
#include "tensor/codec.h"

namespace tarmac {

bool runs_as_one_piece(const Node& node) {
  if (handles_non_tensors(node)) return true;
  bool has_graph = false;
  bool non_tensors_inside = false;
  node.for_each_subgraph([&](const Graph& nested) {
    has_graph = true;
    // Sequences may be made outside and read inside, which single nodes cannot pass on.
    for_each_node(nested, [&](const Node& inner) { non_tensors_inside |= handles_non_tensors(inner); });
  });
  return has_graph && (non_tensors_inside || (!node.is("If") && !node.is("Loop")));
}

bool fill_body_types(Graph& graph) {
  bool filled = false;
  for (const auto& node : graph.nodes()) {
    node->for_each_subgraph([&](Graph& body) {
      for (std::size_t i = 0; node->is("Loop") && i < body.inputs().size(); ++i) {
        Value& inside = *body.inputs()[i];
        const Value* outside = i < 2 ? nullptr : node->input(i);
        if (inside.type.kind != Type::Kind::kNone || (i >= 2 && outside == nullptr)) continue;
        if (i >= 2 && outside->type.kind == Type::Kind::kNone) continue;
        inside.type = i == 0   ? Type::tensor(DType::kInt64, Shape())
                      : i == 1 ? Type::tensor(DType::kBool, Shape())
                               : outside->type;
        inside.type.shape.reset();  // it may change from trip to trip
        filled = true;
      }
      filled = fill_body_types(body) || filled;
    });
  }
  return filled;
}

Result<std::int64_t> scalar_integer(const Tensor& tensor, const Node& node) {
  if (tensor.count() != 1) {
    return make_error(ErrorCode::kInvalidModel,
                      "expected one number to control " + node.op_type + ", found a tensor of shape " +
                          to_string(tensor.shape()),
                      node.label());
  }
  TARMAC_TRY(const auto numbers, to_int64s(tensor));
  return numbers.front();
}

Result<bool> scalar_bool(const Tensor& tensor, const Node& node) {
  TARMAC_TRY(const std::int64_t number, scalar_integer(tensor, node));
  return number != 0;
}

Result<Tensor> stack(const std::vector<Tensor>& trips, const Value& value) {
  Shape shape;
  DType dtype = value.type.dtype;
  if (trips.empty()) {
    for (const Dim& dim : value.type.shape.value_or(std::vector<Dim>()))
      shape.push_back(dim.size.value_or(0));
    if (is_16_bit_float(dtype)) dtype = DType::kFloat32;
  } else {
    shape = trips.front().shape();
    dtype = trips.front().dtype();
  }
  shape.insert(shape.begin(), static_cast<std::int64_t>(trips.size()));
  if (dtype == DType::kString) {
    std::vector<std::string> strings;
    for (const Tensor& trip : trips)
      strings.insert(strings.end(), trip.strings().begin(), trip.strings().end());
    return Tensor::of_strings(std::move(shape), std::move(strings));
  }
  TARMAC_TRY(Tensor result, Tensor::allocate(dtype, std::move(shape)));
  std::byte* to = result.mutable_bytes().data();
  for (const Tensor& trip : trips) {
    if (trip.shape() != trips.front().shape()) {
      return make_error(ErrorCode::kInvalidInput, "the trips of a Loop give tensors of different shapes",
                        value.name());
    }
    std::memcpy(to, trip.bytes().data(), trip.bytes().size());
    to += trip.bytes().size();
  }
  return result;
}

}  // namespace tarmac

#include "runtime/cost.h"

#include <algorithm>
#include <span>
#include <unordered_map>

namespace tarmac {
namespace {

std::optional<Shape> shape_of(const Value* value) {
  if (value == nullptr) return std::nullopt;
  if (value->initializer() != nullptr) return value->initializer()->shape();
  return value->type.static_shape();
}

std::optional<std::int64_t> product(std::span<const std::int64_t> sizes) {
  std::int64_t result = 1;
  for (const std::int64_t size : sizes) {
    if (__builtin_mul_overflow(result, size, &result)) return std::nullopt;
  }
  return result;
}

std::optional<std::int64_t> multiply(std::optional<std::int64_t> a, std::optional<std::int64_t> b) {
  if (!a || !b) return std::nullopt;
  const std::int64_t both[] = {*a, *b};
  return product(both);
}

/// Elements of `many`, each of which meets one slice weight[0, …] of the weight.
std::optional<std::int64_t> convolution_macs(const Value* many, const Value* weight) {
  const auto shape = shape_of(many);
  const auto kernel = shape_of(weight);
  if (!shape || !kernel || kernel->size() < 2) return std::nullopt;
  return multiply(product(*shape), product(std::span(*kernel).subspan(1)));
}

/// Each element of the output is a dot product along axis `axis_from_end` of `a`.
std::optional<std::int64_t> product_macs(const Value* output, const Value* a, std::size_t axis_from_end) {
  const auto shape = shape_of(output);
  const auto left = shape_of(a);
  if (!shape || !left || left->size() < axis_from_end) return std::nullopt;
  return multiply(product(*shape), (*left)[left->size() - axis_from_end]);
}

enum class Kind { kNone, kConvolution, kTransposedConvolution, kQuantizedConvolution, kGemm, kMatrixProduct };

Kind kind_of(const Node& node) {
  if (!node.domain.empty()) return Kind::kNone;
  const std::string& op = node.op_type;
  if (op == "Conv" || op == "ConvInteger") return Kind::kConvolution;
  if (op == "ConvTranspose") return Kind::kTransposedConvolution;
  if (op == "QLinearConv") return Kind::kQuantizedConvolution;
  if (op == "Gemm") return Kind::kGemm;
  if (op == "MatMul" || op == "MatMulInteger" || op == "QLinearMatMul") return Kind::kMatrixProduct;
  return Kind::kNone;
}

std::optional<std::int64_t> macs(const Node& node, Kind kind) {
  const Value* output = node.output(0);
  switch (kind) {
    case Kind::kConvolution:
      return convolution_macs(output, node.input(1));
    case Kind::kTransposedConvolution:
      return convolution_macs(node.input(0), node.input(1));
    case Kind::kQuantizedConvolution:
      return convolution_macs(output, node.input(3));
    case Kind::kGemm:
      return product_macs(output, node.input(0), node.attribute_or<std::int64_t>("transA", 0) != 0 ? 2 : 1);
    case Kind::kMatrixProduct:
      return product_macs(output, node.input(0), 1);
    case Kind::kNone:
      break;
  }
  return std::nullopt;
}

/// The node of `graph` itself that `node`, perhaps in a nested graph, belongs to.
const Node* outermost(const Node* node, const Graph& graph) {
  while (&node->graph() != &graph) node = node->graph().parent();
  return node;
}

}  // namespace

ArithmeticCost count_arithmetic(const Graph& graph) {
  ArithmeticCost cost;
  for_each_node(graph, [&](Node& node) {
    const Kind kind = kind_of(node);
    if (kind == Kind::kNone) return;
    const auto flops = &node.graph() == &graph ? multiply(macs(node, kind), 2) : std::nullopt;
    std::int64_t sum = 0;
    if (!flops || __builtin_add_overflow(cost.flops, *flops, &sum)) {
      ++cost.uncounted_nodes;
      return;
    }
    cost.flops = sum;
    ++cost.counted_nodes;
  });
  return cost;
}

Result<std::vector<BlockLifetime>> activation_lifetimes(const Graph& graph) {
  std::unordered_map<const Node*, std::size_t> position;
  for (const auto& node : graph.nodes()) position.emplace(node.get(), position.size());
  const std::size_t steps = std::max<std::size_t>(1, position.size());

  std::vector<BlockLifetime> lifetimes;
  const auto live = [&](const Value& value, std::size_t first) -> Status {
    if (constant_of(&value) != nullptr || (value.unused() && !value.is_input())) return {};
    const auto shape = shape_of(&value);
    const auto bytes = shape ? size_bytes(value.type.dtype, *shape) : Result<std::size_t>(std::size_t{0});
    if (!shape || !value.type.is_tensor() || !bytes || *bytes > std::size_t{1} << 50U) {
      return make_error(ErrorCode::kInvalidInput, "the size of '" + value.name() + "' is unknown",
                        value.name());
    }
    std::size_t last = value.is_output() ? steps - 1 : first;
    for (const Use& use : value.uses()) last = std::max(last, position.at(outermost(use.node, graph)));
    lifetimes.push_back({.bytes = *bytes, .first_use = first, .last_use = last});
    return {};
  };
  for (const Value* input : graph.inputs()) TARMAC_CHECK_OK(live(*input, 0));
  for (const auto& node : graph.nodes()) {
    for (const Value* output : node->outputs()) {
      if (output != nullptr) TARMAC_CHECK_OK(live(*output, position.at(node.get())));
    }
  }
  return lifetimes;
}

Result<std::uint64_t> peak_activation_bytes(const Graph& graph) {
  TARMAC_TRY(const std::vector<BlockLifetime> lifetimes, activation_lifetimes(graph));
  return peak_live_bytes(lifetimes);
}

}  // namespace tarmac

#include "precision/divide_channels.h"

#include "passes/rewrite.h"
#include "tensor/codec.h"

namespace tarmac {
namespace {

/// A constant input whose last axis is the channels.
struct Constant {
  Node* node = nullptr;
  std::size_t index = 0;
};

bool has_channels_last(const Value* value, std::size_t channels) {
  const Tensor* tensor = constant_of(value);
  return tensor != nullptr && tensor->dtype() == DType::kFloat32 && !tensor->shape().empty() &&
         static_cast<std::size_t>(tensor->shape().back()) == channels;
}

/// The constants to divide so that `value` comes out divided; empty when there is no such way.
std::vector<Constant> constants_behind(const Value* value, std::size_t channels) {
  std::vector<Constant> found;
  const auto has = [&](Node& node, std::size_t i) {
    if (!has_channels_last(node.input(i), channels)) return false;
    found.push_back({&node, i});
    return true;
  };
  while (true) {
    Node* node = value->producer();
    if (node == nullptr || !node->domain.empty()) return {};
    if (node->is("LayerNormalization")) {
      const std::size_t outputs = node->outputs().size();
      const std::size_t rank = rank_of(node->input(0)).value_or(0);
      const auto axis = node->attribute_or<std::int64_t>("axis", -1);
      const bool last = axis == -1 || axis + 1 == static_cast<std::int64_t>(rank);
      if (outputs != 1 || !last || !has(*node, 1) || (node->input(2) != nullptr && !has(*node, 2))) return {};
      return found;
    }
    if (node->is("Mul")) return has(*node, 1) || has(*node, 0) ? found : std::vector<Constant>();
    if (node->is("MatMul")) {
      return rank_of(node->input(1)) == 2U && has(*node, 1) ? found : std::vector<Constant>();
    }
    if (node->is("Gemm")) {
      const bool bias = node->input(2) == nullptr || has(*node, 2);
      const bool plain = node->attribute_or<std::int64_t>("transB", 0) == 0;
      return bias && plain && has(*node, 1) ? found : std::vector<Constant>();
    }
    if (node->is("Relu")) {
      value = node->input(0);
    } else if (node->is("Add") && (has(*node, 1) || has(*node, 0))) {
      value = node->input(found.back().index == 1 ? 0 : 1);
    } else {
      return {};
    }
    if (!has_one_reader(*value)) return {};
  }
}

Status divide_constant(const Constant& constant, const std::vector<float>& divisor) {
  Value* old = constant.node->input(constant.index);
  const Tensor& tensor = *constant_of(old);
  TARMAC_TRY(std::vector<float> values, to_floats(tensor));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] /= divisor[i % divisor.size()];
  Graph& graph = constant.node->graph();
  const std::string name = graph.fresh_name(old->name() + "_divided");
  replace_input(*constant.node, constant.index,
                &graph.add_initializer(name, Tensor::from(tensor.shape(), values)));
  return {};
}

}  // namespace

Result<bool> divide_channels(Value& value, const std::vector<Node*>& readers,
                             const std::vector<float>& divisor) {
  if (!value.is_output() && value.uses().size() == readers.size()) {
    const std::vector<Constant> constants = constants_behind(&value, divisor.size());
    for (const Constant& constant : constants) TARMAC_CHECK_OK(divide_constant(constant, divisor));
    if (!constants.empty()) return true;
  }
  std::vector<float> factors(divisor.size());
  for (std::size_t i = 0; i < factors.size(); ++i) factors[i] = 1.0F / divisor[i];
  Graph& graph = value.graph();
  Value& factor = graph.add_initializer(graph.fresh_name(value.name() + "_factors"),
                                        Tensor::from({static_cast<std::int64_t>(factors.size())}, factors));
  Value& divided = graph.add_op("Mul", {&value, &factor}, value.name() + "_divided", readers.front());
  divided.producer()->name = divided.name();
  divided.type = value.type;
  for (Node* reader : readers) reader->set_input(0, &divided);
  return false;
}

}  // namespace tarmac

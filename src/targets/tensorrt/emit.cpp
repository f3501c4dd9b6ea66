#include "targets/tensorrt/emit.h"

#include <algorithm>
#include <array>

namespace tarmac::tensorrt {
namespace {

/// Their output has the elements of input 0, of which they compute nothing.
constexpr std::array<std::string_view, 14> kMovers = {
    "DepthToSpace", "Expand", "Flatten",      "Gather",  "GatherElements", "GatherND",  "Identity",
    "Reshape",      "Slice",  "SpaceToDepth", "Squeeze", "Tile",           "Transpose", "Unsqueeze"};

bool moves_bytes(const Node* node) {
  if (node == nullptr || !node->domain.empty() || node->input(0) == nullptr) return false;
  return std::find(kMovers.begin(), kMovers.end(), node->op_type) != kMovers.end() &&
         node->input(0)->type.dtype == DType::kUint8;
}

bool has_one_reader(const Value& value) { return value.uses().size() == 1 && !value.is_output(); }

class Emitter {
 public:
  explicit Emitter(Model& model) : model_(model) {}

  Result<std::vector<Change>> run() {
    // Collected first: rewriting changes the lists that are walked.
    std::vector<Node*> casts;
    std::vector<Node*> biases;
    for_each_node(*model_.graph, [&](Node& node) {
      if (node.is("Cast")) casts.push_back(&node);
      if (node.is("DequantizeLinear")) biases.push_back(&node);
    });
    for (Node* cast : casts) move_up(*cast);
    for (Node* bias : biases) TARMAC_CHECK_OK(store_as_float(*bias));
    return std::move(changes_);
  }

 private:
  /// Cast(f(x)) becomes f(Cast(x)), as often as that goes.
  void move_up(Node& first) {
    Node* cast = &first;
    while (true) {
      Value* const moved = cast->input(0);
      if (moved == nullptr || cast->output(0) == nullptr) return;
      Node* const mover = moved->producer();
      if (!moves_bytes(mover) || !has_one_reader(*moved) || &mover->graph() != &cast->graph()) return;
      Graph& graph = cast->graph();
      const Type wide = cast->output(0)->type;
      if (wide.dtype == DType::kUndefined || wide.dtype == DType::kUint8) return;
      Value* const bytes = mover->input(0);
      Value& early = graph.add_op("Cast", {bytes}, bytes->name() + "_cast", mover);
      early.producer()->attributes["to"] = static_cast<std::int64_t>(wide.dtype);
      early.type = bytes->type;
      early.type.dtype = wide.dtype;
      changes_.push_back({"cast_bytes_first", mover->label(), "reads " + std::string(to_string(wide.dtype))});
      mover->set_input(0, &early);
      moved->type = wide;
      cast->set_input(0, nullptr);
      if (graph.replace_uses(*cast->output(0), *moved)) graph.erase(*cast);
      cast = early.producer();
    }
  }

  Status store_as_float(Node& node) {
    const Tensor* const stored = constant_of(node.input(0));
    const Tensor* const scale = constant_of(node.input(1));
    const Tensor* const zero = constant_of(node.input(2));
    Value* const result = node.output(0);
    if (stored == nullptr || scale == nullptr || result == nullptr || result->is_output()) return {};
    if (stored->dtype() != DType::kInt32 || scale->dtype() != DType::kFloat32) return {};
    if (node.input(2) != nullptr) {
      if (zero == nullptr || zero->dtype() != DType::kInt32) return {};
      const auto points = zero->data<std::int32_t>();
      if (std::any_of(points.begin(), points.end(), [](std::int32_t point) { return point != 0; })) return {};
    }
    const Shape& shape = stored->shape();
    const auto scales = scale->data<float>();
    // Of the elements in a row, `inner` share a scale; then comes the next of the axis.
    std::size_t inner = std::max<std::size_t>(stored->data<std::int32_t>().size(), 1);
    if (scales.size() != 1) {
      const auto rank = static_cast<std::int64_t>(shape.size());
      std::int64_t axis = node.attribute_or<std::int64_t>("axis", 1);
      if (axis < 0) axis += rank;
      if (rank == 1) axis = 0;
      if (axis < 0 || axis >= rank ||
          shape[static_cast<std::size_t>(axis)] != static_cast<std::int64_t>(scales.size()))
        return {};
      inner = 1;
      for (auto i = static_cast<std::size_t>(axis) + 1; i < shape.size(); ++i)
        inner *= static_cast<std::size_t>(shape[i]);
    }
    if (inner == 0) return {};
    TARMAC_TRY(Tensor values, Tensor::allocate(DType::kFloat32, shape));
    const auto from = stored->data<std::int32_t>();
    const auto to = values.mutable_data<float>();
    for (std::size_t i = 0; i < from.size(); ++i)
      to[i] = static_cast<float>(static_cast<double>(scales[i / inner % scales.size()]) * from[i]);
    Graph& graph = node.graph();
    Value& value = graph.add_initializer(graph.fresh_name(result->name() + "_float"), std::move(values));
    changes_.push_back({"store_bias_as_float", node.label(), "is stored as float32"});
    if (graph.replace_uses(*result, value)) graph.erase(node);
    return {};
  }

  Model& model_;
  std::vector<Change> changes_;
};

}  // namespace

Result<std::vector<Change>> emit(Model& model) { return Emitter(model).run(); }

}  // namespace tarmac::tensorrt

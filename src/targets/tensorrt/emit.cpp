#include "targets/tensorrt/emit.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

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
    std::vector<Node*> weights;
    for_each_node(*model_.graph, [&](Node& node) {
      if (node.is("Cast")) casts.push_back(&node);
      if (node.is("DequantizeLinear")) weights.push_back(&node);
    });
    for (Node* cast : casts) move_up(*cast);
    for (Node* weight : weights) {
      if (has_type(*weight, DType::kInt32)) {
        TARMAC_CHECK_OK(store_as_float(*weight));  // may erase it
      } else if (has_type(*weight, DType::kUint4)) {
        TARMAC_CHECK_OK(store_as_int4(*weight));
      }
    }
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

  static bool has_type(const Node& node, DType dtype) {
    const Tensor* const stored = constant_of(node.input(0));
    return stored != nullptr && stored->dtype() == dtype;
  }

  /// What a rewritten node read, if nothing does any more.
  static void drop(Graph& graph, const std::vector<Value*>& values) {
    for (Value* value : std::set<Value*>(values.begin(), values.end())) {
      const bool stored = value != nullptr && value->initializer() != nullptr && !value->is_input();
      if (stored && value->unused() && &value->graph() == &graph) graph.erase(*value);
    }
  }

  Status store_as_int4(Node& node) {
    const Tensor* const codes = constant_of(node.input(0));
    const Tensor* const zero = constant_of(node.input(2));
    if (zero == nullptr || zero->dtype() != DType::kUint4 || zero->count() == 0) return {};
    // Two a byte; of an odd count the last half is 0.
    const auto pairs = zero->bytes();
    const bool odd = zero->count() % 2 != 0;
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      const bool half = odd && i + 1 == pairs.size();
      if (pairs[i] != static_cast<std::byte>(half ? 0x08 : 0x88)) return {};
    }
    Value*& value = int4_[node.input(0)];
    Graph& graph = node.graph();
    if (value == nullptr) {
      TARMAC_TRY(Tensor int4, Tensor::allocate(DType::kInt4, codes->shape()));
      const auto from = codes->bytes();
      const auto to = int4.mutable_bytes();
      for (std::size_t i = 0; i < from.size(); ++i)
        to[i] = from[i] ^ std::byte{0x88};  // two's complement of q − 8
      if (codes->count() % 2 != 0) to.back() &= std::byte{0x0F};
      value = &graph.add_initializer(graph.fresh_name(node.input(0)->name() + "_int4"), std::move(int4));
    }
    const std::vector<Value*> old = {node.input(0), node.input(2)};
    node.set_input(0, value);
    node.truncate_inputs(2);
    changes_.push_back({"store_weights_as_int4", node.label(), "reads int4"});
    // The first stays until the last reader has changed.
    drop(graph, old);
    return {};
  }

  Status store_as_float(Node& node) {
    const Tensor* const step = constant_of(node.input(1));
    const Tensor* const zero = constant_of(node.input(2));
    Value* const result = node.output(0);
    if (step == nullptr || step->dtype() != DType::kFloat32 || result == nullptr || result->is_output())
      return {};
    TARMAC_TRY(const Tensor stored, constant_of(node.input(0))->aligned());
    TARMAC_TRY(const Tensor scale, step->aligned());
    if (node.input(2) != nullptr) {
      if (zero == nullptr || zero->dtype() != DType::kInt32) return {};
      TARMAC_TRY(const Tensor zeros, zero->aligned());
      const auto points = zeros.data<std::int32_t>();
      if (std::any_of(points.begin(), points.end(), [](std::int32_t point) { return point != 0; })) return {};
    }
    const Shape& shape = stored.shape();
    const auto scales = scale.data<float>();
    // Of the elements in a row, `inner` share a scale; then comes the next of the axis.
    std::size_t inner = std::max<std::size_t>(stored.data<std::int32_t>().size(), 1);
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
    const auto from = stored.data<std::int32_t>();
    const auto to = values.mutable_data<float>();
    for (std::size_t i = 0; i < from.size(); ++i)
      to[i] = static_cast<float>(static_cast<double>(scales[i / inner % scales.size()]) * from[i]);
    Graph& graph = node.graph();
    Value& value = graph.add_initializer(graph.fresh_name(result->name() + "_float"), std::move(values));
    changes_.push_back({"store_bias_as_float", node.label(), "is stored as float32"});
    const std::vector<Value*> old = node.inputs();
    if (graph.replace_uses(*result, value)) graph.erase(node);
    drop(graph, old);
    return {};
  }

  Model& model_;
  std::map<const Value*, Value*> int4_;
  std::vector<Change> changes_;
};

}  // namespace

Result<std::vector<Change>> emit(Model& model) { return Emitter(model).run(); }

}  // namespace tarmac::tensorrt

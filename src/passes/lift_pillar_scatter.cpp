#include <fmt/format.h>

#include <map>

#include "passes/lift.h"
#include "passes/passes.h"
#include "passes/rewrite.h"
#include "passes/row_scatter.h"
#include "tensor/codec.h"

namespace tarmac {
namespace {

constexpr const char* kOperator = "PillarScatter";
constexpr int kMaxDepth = 12;

/// index = Σ factor · coordinates[:, column]
struct LinearIndex {
  Value* coordinates = nullptr;
  std::map<std::int64_t, std::int64_t> factors;  ///< by column
};

/// Adds factor · value.
bool add_terms(Value* value, std::int64_t factor, const SymbolicShapes& shapes, int depth,
               LinearIndex& index) {
  if (value == nullptr || depth > kMaxDepth) return false;
  const Node* node = value->producer();
  if (node == nullptr) return false;
  const auto number = [&](const Value* operand) -> std::optional<std::int64_t> {
    const auto scalar = shapes.scalar(operand);
    if (!scalar || *scalar != static_cast<double>(static_cast<std::int64_t>(*scalar))) return std::nullopt;
    return static_cast<std::int64_t>(*scalar);
  };
  if (node->is("Add")) {
    return add_terms(node->input(0), factor, shapes, depth + 1, index) &&
           add_terms(node->input(1), factor, shapes, depth + 1, index);
  }
  if (node->is("Mul")) {
    for (const std::size_t side : {0U, 1U}) {
      std::int64_t scaled = 0;
      const auto by = number(node->input(side));
      if (!by || __builtin_mul_overflow(factor, *by, &scaled)) continue;
      return add_terms(node->input(1 - side), scaled, shapes, depth + 1, index);
    }
    return false;
  }
  if (node->is("Cast")) {
    const Value* from = node->input(0);
    if (!from->type.is_tensor() || !is_integer(from->type.dtype) || !is_integer(value->type.dtype))
      return false;
    return add_terms(node->input(0), factor, shapes, depth + 1, index);
  }
  const auto layout = trace_layout(value, shapes, {});
  if (!layout) return false;
  const LayoutStep& front = layout->steps.front();
  if (front.value == value) return false;
  std::optional<std::int64_t> column;
  for (const AxisAtom& atom : layout->atoms) {
    if (atom.chosen && column) return false;
    if (atom.chosen) column = atom.chosen;
  }
  const SymbolicShape& from = *shapes.shape(front.value);
  if (!column) return add_terms(front.value, factor, shapes, depth + 1, index);
  // coordinates [V, 4], the column chosen of the four
  if (from.size() != 2 || !from[1].is(4) || front.axes[1].size() != 1 ||
      !layout->atoms[front.axes[1].front()].chosen || !is_integer(front.value->type.dtype) ||
      (index.coordinates != nullptr && index.coordinates != front.value))
    return false;
  index.coordinates = front.value;
  index.factors[*column] += factor;
  return true;
}

class Lifter {
 public:
  Lifter(Model& model, PassContext& context) : model_(model), context_(context), shapes_(*model.graph) {}

  Status run() {
    for (const char* op_type : {"ScatterND", "ScatterElements"}) {
      for (Node* node : nodes_of(model_, op_type)) {
        const auto scatter = match_row_scatter(*node, shapes_);
        if (!scatter || scatter->adds) continue;
        LinearIndex index;
        if (!add_terms(scatter->index, 1, shapes_, 0, index) || index.coordinates == nullptr) continue;
        std::string why;
        TARMAC_CHECK_OK(lift(*scatter, index, why));
        if (!why.empty()) context_.decline(*node, why);
      }
    }
    erase_unused(replaced_);
    return {};
  }

 private:
  Status lift(const RowScatter& scatter, const LinearIndex& index, std::string& why) {
    const auto map = find_map(scatter, shapes_);
    if (!map || map->z != 1) {
      why = "pillars are scattered, but the map does not become [batch, channels, height, width]";
      return {};
    }
    // z is 0 in pillars; old versions of the projects add it.
    const auto factor = [&](std::int64_t column) {
      const auto found = index.factors.find(column);
      return found == index.factors.end() ? 0 : found->second;
    };
    const std::int64_t area = map->height * map->width;
    const bool fits = factor(3) == 1 && (factor(2) == map->width || map->height == 1) &&
                      (factor(1) == 0 || factor(1) == 1) &&
                      (factor(0) == area || (factor(0) == 0 && map->batch == 1));
    if (!fits) {
      why = fmt::format(
          "pillars are scattered to cell {}·b + {}·z + {}·y + {}·x, which is not row-major in [{}, {}, {}]",
          factor(0), factor(1), factor(2), factor(3), map->batch, map->height, map->width);
      return {};
    }
    Node& before = *map->value->producer();
    const SymbolicShape& rows = *shapes_.shape(scatter.updates);
    auto layout = LetteredLayout::make(
        trace_layout(scatter.updates, shapes_, {.choices = false}),
        {{{scatter.channels_first ? 'C' : 'V', rows[0]}}, {{scatter.channels_first ? 'V' : 'C', rows[1]}}});
    if (!layout) return {};
    const std::vector<AtomGroup> wanted = {layout->atoms("V"), layout->atoms("C")};
    const LayoutStep* step = closest_step(layout->layout(), wanted);
    Value* features = step == nullptr
                          ? nullptr
                          : rearranged(step->value, step->axes, layout->layout(), wanted, before, shapes_);
    if (features == nullptr) return {};
    Value* coordinates = index.coordinates;
    if (factor(0) == 0) {
      // The batch number was not looked at; what is there need not be 0.
      auto columns = from_doubles(coordinates->type.dtype, {4}, {0, 0, 1, 1});
      if (!columns) return columns.error();
      Graph& graph = before.graph();
      Value& kept = graph.add_initializer(graph.fresh_name("y_and_x"), *std::move(columns));
      Value& cells = graph.add_op("Mul", {coordinates, &kept}, coordinates->name() + "_cells", &before);
      cells.type = coordinates->type;
      coordinates = &cells;
    }
    LiftedCall call;
    call.op_type = kOperator;
    call.inputs = {features, coordinates};
    call.attributes["batch"] = map->batch;
    call.attributes["height"] = map->height;
    call.attributes["width"] = map->width;
    define(*map, scatter.channels, features->type.dtype, coordinates->type.dtype, call);
    TARMAC_TRY(Value* const output,
               add_lifted(model_, before, std::move(call), map->value->name(), Type(map->value->type)));
    output->producer()->name = scatter.node->name;
    shapes_.set(*output, SymbolicShape(*shapes_.shape(map->value)));
    map->value->graph().replace_uses(*map->value, *output);
    replaced_.push_back(map->value);
    context_.changed(*scatter.node, "put PillarScatter in place of " + scatter.node->op_type +
                                        ", the arithmetic of its cells and the order of its axes");
    return {};
  }

  /// Rows outside the map go to a row behind it, which is cut off.
  static void define(const ScatteredMap& map, std::int64_t channels, DType dtype, DType integers,
                     LiftedCall& call) {
    const std::int64_t cells = map.batch * map.height * map.width;
    const std::string integer = integers == DType::kInt32 ? "int32" : "int64";
    call.overload = fmt::format("{}x{}x{}_{}channels_{}_{}", map.batch, map.height, map.width, channels,
                                to_string(dtype), integer);
    call.body = fmt::format(
        R"(definition (float features, {0} coordinates) => (float y) {{
  sizes = Constant <value = {0}[4] {{{1}, 1, {2}, {3}}}> ()
  factors = Constant <value = {0}[4] {{{4}, 0, {3}, 1}}> ()
  look = Constant <value = {0}[4] {{1, 0, 1, 1}}> ()
  zero = Constant <value = {0} {{0}}> ()
  end = Constant <value = {0} {{{5}}}> ()
  used = Mul (coordinates, look)
  below = Less (used, zero)
  above = Less (used, sizes)
  not_above = Not (above)
  outside = Or (below, not_above)
  flags = Cast <to = 6> (outside)
  one = Constant <value = int64[1] {{1}}> ()
  count = ReduceSum <keepdims = 1> (flags, one)
  is_outside = Cast <to = 9> (count)
  terms = Mul (used, factors)
  sums = ReduceSum <keepdims = 1> (terms, one)
  cells = Where (is_outside, end, sums)
  rows = Cast <to = 7> (cells)
  shape = Constant <value = int64[2] {{{6}, {7}}}> ()
  zeros_float = ConstantOfShape (shape)
  zeros = Cast <to = {8}> (zeros_float)
  scattered = ScatterND (zeros, rows, features)
  start = Constant <value = int64[1] {{0}}> ()
  stop = Constant <value = int64[1] {{{5}}}> ()
  kept = Slice (scattered, start, stop, start)
  map_shape = Constant <value = int64[4] {{{1}, {2}, {3}, {7}}}> ()
  map = Reshape (kept, map_shape)
  y = Transpose <perm = [0, 3, 1, 2]> (map)
}})",
        integer, map.batch, map.height, map.width, map.height * map.width, cells, cells + 1, channels,
        static_cast<int>(dtype));
  }

  Model& model_;
  PassContext& context_;
  SymbolicShapes shapes_;
  std::vector<Value*> replaced_;  ///< erased at the end: the shapes are known by address
};

}  // namespace

Status lift_pillar_scatter(Model& model, PassContext& context) {
  if (!may_lift(context, kOperator) ||
      (nodes_of(model, "ScatterND").empty() && nodes_of(model, "ScatterElements").empty()))
    return {};
  return Lifter(model, context).run();
}

}  // namespace tarmac

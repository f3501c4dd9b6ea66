#include <fmt/format.h>

#include "passes/lift.h"
#include "passes/passes.h"
#include "passes/region.h"
#include "passes/rewrite.h"
#include "passes/row_scatter.h"

namespace tarmac {
namespace {

constexpr const char* kOperator = "BevPool";

/// rows = table[index], along the first axis.
struct Rows {
  Value* table = nullptr;
  Value* index = nullptr;
};

std::optional<Rows> gathered_rows(Value* value, const SymbolicShapes& shapes) {
  const Node* gather = value->producer();
  if (gather == nullptr || !gather->is("Gather") || gather->attribute_or<std::int64_t>("axis", 0) != 0)
    return std::nullopt;
  const SymbolicShape* index = shapes.shape(gather->input(1));
  if (index == nullptr || index->size() != 1) return std::nullopt;
  return Rows{gather->input(0), gather->input(1)};
}

/// depth[ranks_depth] · feat[ranks_feat], the row p of both.
struct Products {
  Rows depth;  ///< a table of numbers
  Rows feat;   ///< a table of rows of C
};

std::optional<Products> match_products(Value* rows, const SymbolicShapes& shapes) {
  const Node* product = rows->producer();
  if (product == nullptr || !product->is("Mul")) return std::nullopt;
  for (const std::size_t side : {0U, 1U}) {
    const SymbolicShape* weights = shapes.shape(product->input(side));
    const auto feat = gathered_rows(product->input(1 - side), shapes);
    if (weights == nullptr || weights->size() != 2 || !(*weights)[1].is(1) || !feat) continue;
    // A column [P, 1] of what was gathered as [P] or as [P, 1].
    Value* column = product->input(side);
    auto depth = gathered_rows(column, shapes);
    if (!depth && column->producer() != nullptr &&
        (column->producer()->is("Unsqueeze") || column->producer()->is("Reshape")))
      depth = gathered_rows(column->producer()->input(0), shapes);
    const SymbolicShape* table = depth ? shapes.shape(depth->table) : nullptr;
    const SymbolicShape* all = feat ? shapes.shape(feat->table) : nullptr;
    if (table == nullptr || all == nullptr || all->size() != 2) continue;
    if (table->size() == 1 || (table->size() == 2 && (*table)[1].is(1))) return Products{*depth, *feat};
  }
  return std::nullopt;
}

/// Pictures behind flat tables: depth [.., D, H, W] and feat [.., H, W, C] that agree.
struct Pictures {
  Value* depth = nullptr;
  Value* feat = nullptr;
};

std::optional<Pictures> pictures_behind(const Products& products, const SymbolicShapes& shapes) {
  const auto depth = trace_layout(products.depth.table, shapes, {.choices = false});
  const auto feat = trace_layout(products.feat.table, shapes, {.choices = false});
  if (!depth || !feat) return std::nullopt;
  const auto order = [](const LayoutStep& step) {
    AtomGroup all;
    for (const AtomGroup& group : step.axes) all.insert(all.end(), group.begin(), group.end());
    return all;
  };
  for (const LayoutStep& d : depth->steps) {
    for (const LayoutStep& f : feat->steps) {
      const std::size_t rank = d.axes.size();
      if (rank < 4 || f.axes.size() != rank || order(d) != order(depth->steps.back()) ||
          order(f) != order(feat->steps.back()) || f.axes.back() != feat->steps.back().axes.back())
        continue;
      const SymbolicShape& a = *shapes.shape(d.value);
      const SymbolicShape& b = *shapes.shape(f.value);
      bool same = a[rank - 2] == b[rank - 3] && a[rank - 1] == b[rank - 2];
      for (std::size_t i = 0; i + 3 < rank; ++i) same = same && a[i] == b[i];
      if (same && d.value->type.dtype == f.value->type.dtype) return Pictures{d.value, f.value};
    }
  }
  return std::nullopt;
}

class Lifter {
 public:
  Lifter(Model& model, PassContext& context) : model_(model), context_(context), shapes_(*model.graph) {}

  Status run() {
    for (const char* op_type : {"ScatterND", "ScatterElements"}) {
      for (Node* node : nodes_of(model_, op_type)) {
        const auto scatter = match_row_scatter(*node, shapes_);
        if (!scatter || scatter->channels_first) continue;
        const auto products = match_products(scatter->updates, shapes_);
        if (!scatter->adds) {
          if (products)
            context_.decline(
                *node, op_type + std::string(" has no reduction \"add\": of several points in one cell one "
                                             "stays. PyTorch 2.5 exports index_add and index_put "
                                             "like that; export scatter_add instead"));
          continue;
        }
        if (!is_float_up_to_32(scatter->updates->type)) continue;
        std::string why;
        TARMAC_CHECK_OK(lift(*scatter, products, why));
        if (!why.empty()) context_.decline(*node, why);
      }
    }
    erase_unused(replaced_);
    return {};
  }

 private:
  Status lift(const RowScatter& scatter, const std::optional<Products>& products, std::string& why) {
    const auto map = find_map(scatter, shapes_);
    Value& replaced = map ? *map->value : *scatter.node->output(0);
    Node& before = *replaced.producer();
    LiftedCall call;
    call.op_type = kOperator;
    call.inputs.assign(5, nullptr);
    call.inputs[4] = as_list(scatter.index, before, shapes_);
    const auto pictures = products ? pictures_behind(*products, shapes_) : std::nullopt;
    const char* what = "of rows";
    if (pictures) {
      call.inputs[0] = pictures->depth;
      call.inputs[1] = pictures->feat;
      call.inputs[2] = products->depth.index;
      call.inputs[3] = products->feat.index;
      what = "of depth times features";
    } else if (const auto rows = gathered_rows(scatter.updates, shapes_)) {
      call.inputs[1] = rows->table;
      call.inputs[3] = rows->index;
    } else {
      call.inputs[1] = scatter.updates;
    }
    if (call.inputs[4] == nullptr || !is_integer(call.inputs[4]->type.dtype)) {
      why = "the cells of the points are not known to be a list of integers";
      return {};
    }
    const ScatteredMap shape = map ? *map : ScatteredMap{&replaced, 1, 1, 1, scatter.cells};
    call.attributes["batch"] = shape.batch;
    call.attributes["z"] = shape.z;
    call.attributes["height"] = shape.height;
    call.attributes["width"] = shape.width;
    if (!map) call.attributes["layout"] = std::string("BZHWC");
    define(scatter, shape, map.has_value(), call);
    const SymbolicShape dims = dims_of(shape, scatter.channels, map.has_value());
    const DType dtype = scatter.updates->type.dtype;
    TARMAC_TRY(Value * output,
               add_lifted(model_, before, std::move(call), replaced.name(), type_with_shape(dtype, dims)));
    output->producer()->name = scatter.node->name;
    const SymbolicShape wanted = *shapes_.shape(&replaced);
    if (wanted.size() != dims.size()) {
      std::vector<std::int64_t> sizes;
      for (const SymbolicDim& dim : wanted) sizes.push_back(dim.factor());
      Graph& graph = before.graph();
      Value& target = add_integers(graph, replaced.name() + "_shape", sizes);
      output = &graph.add_op("Reshape", {output, &target}, replaced.name(), &before);
      output->type = Type(replaced.type);
    }
    shapes_.set(*output, wanted);
    replaced.graph().replace_uses(replaced, *output);
    replaced_.push_back(&replaced);
    context_.changed(*scatter.node,
                     fmt::format("put BevPool in place of {}, a sum {}", scatter.node->op_type, what));
    return {};
  }

  static SymbolicShape dims_of(const ScatteredMap& map, std::int64_t channels, bool channels_first) {
    SymbolicShape dims;
    for (const std::int64_t size : {map.batch, map.z, map.height, map.width})
      dims.push_back(SymbolicDim::of(size));
    dims.insert(channels_first ? dims.begin() + 1 : dims.end(), SymbolicDim::of(channels));
    return dims;
  }

  static void define(const RowScatter& scatter, const ScatteredMap& map, bool channels_first,
                     LiftedCall& call) {
    const bool depth = call.inputs[0] != nullptr;
    const bool ranks = call.inputs[3] != nullptr;
    const DType dtype = scatter.updates->type.dtype;
    call.overload = fmt::format("{}x{}x{}x{}_{}channels_{}{}{}{}", map.batch, map.z, map.height, map.width,
                                scatter.channels, to_string(dtype), depth ? "_depth" : "",
                                ranks ? "_ranks" : "", channels_first ? "" : "_last");
    std::string body = fmt::format(
        R"(definition (float depth, float feat, int64 ranks_depth, int64 ranks_feat, int64 ranks_bev) => (float y) {{
  row_shape = Constant <value = int64[2] {{-1, {0}}}> ()
  table = Reshape (feat, row_shape)
  rows = {1}
)",
        scatter.channels, ranks ? "Gather <axis = 0> (table, ranks_feat)" : "Identity (table)");
    if (depth) {
      body += R"(  flat = Constant <value = int64[1] {-1}> ()
  weights = Reshape (depth, flat)
  weight = Gather <axis = 0> (weights, ranks_depth)
  column = Unsqueeze (weight, flat)
  products = Mul (column, rows)
)";
    } else {
      body += "  products = Identity (rows)\n";
    }
    body +=
        fmt::format(R"(  last = Constant <value = int64[1] {{1}}> ()
  cells = Unsqueeze (ranks_bev, last)
  index = Cast <to = 7> (cells)
  map_shape = Constant <value = int64[2] {{{0}, {1}}}> ()
  zeros_float = ConstantOfShape (map_shape)
  zeros = Cast <to = {2}> (zeros_float)
  sums = ScatterND <reduction = "add"> (zeros, index, products)
  shape = Constant <value = int64[5] {{{3}, {4}, {5}, {6}, {1}}}> ()
  pooled = Reshape (sums, shape)
  y = {7} (pooled)
}})",
                    scatter.cells, scatter.channels, static_cast<int>(dtype), map.batch, map.z, map.height,
                    map.width, channels_first ? "Transpose <perm = [0, 4, 1, 2, 3]>" : "Identity");
    call.body = std::move(body);
  }

  Model& model_;
  PassContext& context_;
  SymbolicShapes shapes_;
  std::vector<Value*> replaced_;  ///< erased at the end: the shapes are known by address
};

}  // namespace

Status lift_bev_pool(Model& model, PassContext& context) {
  // Before opset 16 nothing was added to a map.
  if (!may_lift(context, kOperator) || model.opset() < 16 ||
      (nodes_of(model, "ScatterND").empty() && nodes_of(model, "ScatterElements").empty()))
    return {};
  return Lifter(model, context).run();
}

}  // namespace tarmac

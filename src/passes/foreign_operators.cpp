#include "passes/foreign_operators.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "passes/deformable_attention.h"
#include "passes/lift.h"
#include "passes/rewrite.h"
#include "tensor/codec.h"

namespace tarmac {
namespace {

constexpr const char* kAttention = "MultiScaleDeformableAttention";
constexpr std::array<const char*, 4> kDomains = {"mmcv", "mmdeploy", "trt.plugins", "custom"};

Adoption declined(std::string why) { return {nullptr, std::move(why), {}}; }

Adoption no_kernel(const char* op_type) {
  return declined(std::string("not every target runs ") + op_type + " of the domain tarmac");
}

std::optional<Shape> static_shape(const Value* value) {
  return value == nullptr ? std::nullopt : value->type.static_shape();
}

bool is_integer_input(const Value* value) {
  return value != nullptr && value->type.is_tensor() && is_integer(value->type.dtype);
}

/// A number, or two of them where one is written for both.
std::optional<std::vector<std::int64_t>> pair_of(const Node& node, const char* name, std::int64_t fallback) {
  if (const auto* list = node.attribute<std::vector<std::int64_t>>(name)) {
    if (list->size() == 2) return *list;
    if (list->size() == 1) return std::vector<std::int64_t>(2, list->front());
    return std::nullopt;
  }
  return std::vector<std::int64_t>(2, node.attribute_or<std::int64_t>(name, fallback));
}

/// `sizes` may have one -1, and zeros that copy.
Value& reshaped(Value& value, const std::vector<std::int64_t>& sizes, Node& before) {
  Graph& graph = before.graph();
  Value& shape = add_integers(graph, value.name() + "_shape", sizes);
  return graph.add_op("Reshape", {&value, &shape}, value.name() + "_reshaped", &before);
}

/// Sizes of an attention node that its inputs tell.
struct AttentionSizes {
  std::int64_t heads = 0, depth = 0, levels = 0, points = 0;
};

}  // namespace

bool is_foreign(const Node& node, std::string_view name) {
  const bool named = node.op_type == name || node.op_type == std::string(name) + "2";
  return named && std::find(kDomains.begin(), kDomains.end(), node.domain) != kDomains.end();
}

Result<Adoption> adopt_attention(Model& model, PassContext& context, Node& node) {
  const bool mmcv = is_foreign(node, "MMCVMultiScaleDeformableAttention");
  const bool derry = is_foreign(node, "MultiScaleDeformableAttnTRT");
  const bool nvidia = is_foreign(node, "MultiscaleDeformableAttnPlugin_TRT");
  if (!mmcv && !derry && !nvidia) return Adoption{};
  if (!may_lift(context, kAttention)) return no_kernel(kAttention);
  const std::size_t count = node.inputs().size();
  if ((count != 5 && !(derry && count == 4)) ||
      std::any_of(node.inputs().begin(), node.inputs().end(),
                  [](const Value* input) { return input == nullptr; }))
    return declined(
        fmt::format("has {} inputs; known are value, shapes, level starts, locations, weights", count));
  // The newest version of BEVFormer's plugin takes reference points and offsets, and makes the softmax
  // itself.
  const bool offsets = derry && count == 5 && !is_integer_input(node.input(2));
  Value* const shapes = node.input(1);
  Value* const starts = count == 5 && !offsets ? node.input(2) : nullptr;
  Value* sampling = node.input(count - 2);
  Value* weights = node.input(count - 1);
  Value* reference = offsets ? node.input(2) : nullptr;
  if (!is_integer_input(shapes)) return declined("the sizes of the levels are no integers");

  const auto value_shape = node.input(0)->type.shape;
  const auto shapes_shape = static_shape(shapes);
  const auto& sampling_dims = sampling->type.shape;
  if (!value_shape || value_shape->size() != 4 || !(*value_shape)[2].known() || !(*value_shape)[3].known() ||
      !shapes_shape || shapes_shape->size() != 2 || !sampling_dims || !sampling_dims->back().known())
    return declined("the numbers of heads, channels, levels or points are not known");
  AttentionSizes sizes{*(*value_shape)[2].size, *(*value_shape)[3].size, (*shapes_shape)[0], 0};
  if (sizes.levels <= 0 || sizes.heads <= 0) return declined("there are no levels or heads");
  if (offsets) {
    if (sampling_dims->size() < 4) return declined("the offsets are not [batch, queries, heads, ...]");
    std::int64_t numbers = 1;
    for (std::size_t i = 3; i < sampling_dims->size(); ++i) {
      if (!(*sampling_dims)[i].known()) return declined("the number of points is not known");
      numbers *= *(*sampling_dims)[i].size;
    }
    if (numbers % (2 * sizes.levels) != 0) return declined("the offsets are no (x, y) for each level");
    sizes.points = numbers / (2 * sizes.levels);
  } else {
    if (sampling_dims->size() != 6 || !(*sampling_dims)[4].known())
      return declined("the locations are not [batch, queries, heads, levels, points, 2]");
    sizes.points = *(*sampling_dims)[4].size;
  }
  std::int64_t references = 0;
  if (offsets) {
    const auto& dims = reference->type.shape;
    if (!dims || dims->size() != 4 || !dims->back().known() || *dims->back().size % 2 != 0 ||
        *dims->back().size == 0 || sizes.points % (*dims->back().size / 2) != 0)
      return declined("the reference points are not [batch, queries, 1, 2 · points a group]");
    references = *dims->back().size / 2;
  }
  if (!weights->type.shape || (weights->type.shape->size() != 4 && weights->type.shape->size() != 5))
    return declined("the weights are not [batch, queries, heads, levels, points]");

  const auto arranged = [&](Value& input, const std::vector<std::int64_t>& wanted) -> Value* {
    Value& result = reshaped(input, wanted, node);
    std::vector<Dim> dims;
    for (std::size_t i = 0; i < wanted.size(); ++i)
      dims.push_back(wanted[i] > 0 ? Dim::of(wanted[i]) : (*input.type.shape)[i]);
    result.type = Type::tensor(input.type.dtype, std::move(dims));
    return &result;
  };
  if (offsets) {
    sampling = arranged(*sampling, {0, 0, sizes.heads, sizes.levels, sizes.points, 2});
    reference = arranged(*reference, {0, 0, references, 2});
  }
  if (weights->type.shape->size() == 4)
    weights = arranged(*weights, {0, 0, sizes.heads, sizes.levels, sizes.points});

  AttentionDefinition definition;
  definition.levels = constant_levels(shapes, starts);
  definition.heads = sizes.heads;
  definition.depth = sizes.depth;
  definition.points = sizes.points;
  definition.softmax = offsets;
  definition.reference = offsets ? ReferenceForm::kPoints : ReferenceForm::kNone;
  definition.reference_count = references;
  definition.value = node.input(0)->type.dtype;
  definition.sampling = sampling->type.dtype;
  definition.weights = weights->type.dtype;
  if (reference != nullptr) definition.references = reference->type.dtype;
  LiftedCall call;
  call.op_type = kAttention;
  call.inputs = {node.input(0), shapes, starts, sampling, weights, reference};
  // The definition needs GridSample, and levels that it can cut out.
  if (!definition.levels.empty() && model.opset() >= 16) {
    call.overload = definition.overload();
    call.body = definition.body(model.opset());
  }
  if (offsets) {
    call.attributes["softmax"] = std::int64_t{1};
    call.attributes["reference_mode"] = std::string("points");
  }
  const std::int64_t channels = sizes.heads * sizes.depth;
  const Dim batch = (*value_shape)[0];
  const Dim queries = (*sampling->type.shape)[1];
  TARMAC_TRY(Value * output,
             add_lifted(model, node, std::move(call), node.output(0)->name(),
                        Type::tensor(definition.value, {{batch, queries, Dim::of(channels)}})));
  output->producer()->name = node.name;
  if (!mmcv) {
    output = &reshaped(*output, {0, 0, sizes.heads, sizes.depth}, node);
    output->type =
        Type::tensor(definition.value, {{batch, queries, Dim::of(sizes.heads), Dim::of(sizes.depth)}});
  }
  return Adoption{output, {}, kAttention};
}

Result<Adoption> adopt_deform_conv(Model& model, PassContext& context, Node& node) {
  const bool modulated =
      is_foreign(node, "MMCVModulatedDeformConv2d") || is_foreign(node, "ModulatedDeformableConv2dTRT");
  if (!modulated && !is_foreign(node, "MMCVDeformConv2d")) return Adoption{};
  constexpr const char* kOperator = "DeformConv2d";
  if (!may_lift(context, kOperator)) return no_kernel(kOperator);
  const auto strides = pair_of(node, "stride", 1);
  const auto padding = pair_of(node, "padding", 0);
  const auto dilations = pair_of(node, "dilation", 1);
  const std::size_t expected = modulated ? 4 : 3;
  if (!strides || !padding || !dilations) return declined("stride, padding or dilation are not two numbers");
  if (node.inputs().size() < expected || node.inputs().size() > expected + (modulated ? 1 : 0))
    return declined(fmt::format("has {} inputs, expected {}", node.inputs().size(), expected));
  LiftedCall call;
  call.op_type = kOperator;
  call.inputs = {node.input(0), node.input(modulated ? 3 : 2), node.input(1),
                 modulated ? node.input(4) : nullptr, modulated ? node.input(2) : nullptr};
  call.attributes["strides"] = *strides;
  call.attributes["dilations"] = *dilations;
  call.attributes["pads"] =
      std::vector<std::int64_t>{(*padding)[0], (*padding)[1], (*padding)[0], (*padding)[1]};
  call.attributes["group"] = node.attribute_or<std::int64_t>("groups", 1);
  call.attributes["offset_group"] = node.attribute_or<std::int64_t>("deform_groups", 1);
  if (model.opset() >= 19) define_deform_conv(call);
  TARMAC_TRY(Value* const output,
             add_lifted(model, node, std::move(call), node.output(0)->name(), Type(node.output(0)->type)));
  output->producer()->name = node.name;
  return Adoption{output, {}, kOperator};
}

Result<Adoption> adopt_bev_pool(Model& model, PassContext& context, Node& node) {
  if (!is_foreign(node, "BEVPoolV2TRT") && !is_foreign(node, "bev_pool_v2")) return Adoption{};
  constexpr const char* kOperator = "BevPool";
  if (!may_lift(context, kOperator)) return no_kernel(kOperator);
  const std::int64_t height =
      node.attribute_or<std::int64_t>("out_height", node.attribute_or<std::int64_t>("output_height", 0));
  const std::int64_t width =
      node.attribute_or<std::int64_t>("out_width", node.attribute_or<std::int64_t>("output_width", 0));
  if (node.inputs().size() != 7 || height <= 0 || width <= 0)
    return declined("expected 7 inputs and the attributes out_height and out_width");
  if (node.attribute_or<std::int64_t>("output_z", 1) != 1)
    return declined("has more than one layer of cells");
  for (std::size_t i = 2; i < 7; ++i) {
    if (!is_integer_input(node.input(i)))
      return declined("the ranks and intervals are not known to be integers");
  }
  LiftedCall call;
  call.op_type = kOperator;
  call.inputs = node.inputs();
  call.attributes["height"] = height;
  call.attributes["width"] = width;
  call.attributes["layout"] = std::string("BZHWC");
  const auto& feat = node.input(1)->type;
  const Dim channels = feat.shape && !feat.shape->empty() ? feat.shape->back() : Dim();
  TARMAC_TRY(Value* const pooled,
             add_lifted(model, node, std::move(call), node.output(0)->name(),
                        Type::tensor(feat.dtype,
                                     {{Dim::of(1), Dim::of(1), Dim::of(height), Dim::of(width), channels}})));
  pooled->producer()->name = node.name;
  Value& output = reshaped(*pooled, {1, height, width, -1}, node);
  output.type = Type::tensor(feat.dtype, {{Dim::of(1), Dim::of(height), Dim::of(width), channels}});
  return Adoption{&output, {}, kOperator};
}

Result<Adoption> adopt_pillar_scatter(Model& model, PassContext& context, Node& node) {
  if (is_foreign(node, "PillarScatterPlugin"))
    return declined(
        "TensorRT's plugin takes a batch of pillar lists, PillarScatter one list with batch numbers");
  if (!is_foreign(node, "PPScatterPlugin")) return Adoption{};
  constexpr const char* kOperator = "PillarScatter";
  if (!may_lift(context, kOperator)) return no_kernel(kOperator);
  const auto* shape = node.attribute<std::vector<std::int64_t>>("dense_shape");
  const auto features = node.inputs().size() == 3 ? node.input(0)->type.shape : std::nullopt;
  if (shape == nullptr || shape->size() != 2 || !features || features->size() != 2 ||
      !is_integer_input(node.input(1)) || !is_integer_input(node.input(2)))
    return declined(
        "expected features [V, C], integer coordinates [V, 4] and a count, and dense_shape = [H, W]");
  // The plugin looks at y and x only.
  Graph& graph = node.graph();
  auto kept = from_doubles(node.input(1)->type.dtype, {4}, {0, 0, 1, 1});
  if (!kept) return kept.error();
  Value& columns = graph.add_initializer(graph.fresh_name("y_and_x"), *std::move(kept));
  Value& cells = graph.add_op("Mul", {node.input(1), &columns}, node.input(1)->name() + "_cells", &node);
  cells.type = node.input(1)->type;
  LiftedCall call;
  call.op_type = kOperator;
  call.inputs = {node.input(0), &cells, node.input(2)};
  call.attributes["height"] = (*shape)[0];
  call.attributes["width"] = (*shape)[1];
  TARMAC_TRY(
      Value* const output,
      add_lifted(model, node, std::move(call), node.output(0)->name(),
                 Type::tensor(node.input(0)->type.dtype,
                              {{Dim::of(1), (*features)[1], Dim::of((*shape)[0]), Dim::of((*shape)[1])}})));
  output->producer()->name = node.name;
  return Adoption{output, {}, kOperator};
}

Result<Adoption> adopt_grid_sampler(Model& model, PassContext& context, Node& node) {
  const bool mmcv = is_foreign(node, "grid_sampler");
  const bool flat = is_foreign(node, "GridSampler2DTRT");
  const bool deep = is_foreign(node, "GridSampler3DTRT");
  if (!mmcv && !flat && !deep) return Adoption{};
  const std::int64_t since = deep ? 20 : 16;
  if (!may_emit(model, context, "GridSample", since))
    return declined("GridSample of opset " + std::to_string(since) + " is not what every target runs");
  const std::int64_t mode = node.attribute_or<std::int64_t>("interpolation_mode", 0);
  const std::int64_t padding = node.attribute_or<std::int64_t>("padding_mode", 0);
  if (node.inputs().size() != 2 || mode < 0 || mode > 2 || padding < 0 || padding > 2)
    return declined("expected a map and a grid, and modes from 0 to 2");
  const bool renamed = model.opset() >= 20;
  const std::array<const char*, 3> modes = {renamed ? "linear" : "bilinear", "nearest",
                                            renamed ? "cubic" : "bicubic"};
  const std::array<const char*, 3> paddings = {"zeros", "border", "reflection"};
  Graph& graph = node.graph();
  Value* grid = node.input(1);
  if (!mmcv) {
    // The plugin wants the coordinates in the channels, ten times as large (for int8).
    grid = &graph.add_op("Transpose", {grid}, grid->name() + "_last", &node);
    grid->producer()->attributes["perm"] =
        deep ? std::vector<std::int64_t>{0, 2, 3, 4, 1} : std::vector<std::int64_t>{0, 2, 3, 1};
    auto ten = from_doubles(node.input(1)->type.dtype, {}, {10});
    if (!ten) return declined("the type of the grid is not known");
    Value& divisor = graph.add_initializer(graph.fresh_name("ten"), *std::move(ten));
    grid = &graph.add_op("Div", {grid, &divisor}, node.input(1)->name() + "_grid", &node);
  }
  Value& output = graph.add_op("GridSample", {node.input(0), grid}, node.output(0)->name(), &node);
  output.type = node.output(0)->type;
  Node& sampler = *output.producer();
  sampler.name = node.name;
  sampler.attributes["mode"] = std::string(modes[static_cast<std::size_t>(mode)]);
  sampler.attributes["padding_mode"] = std::string(paddings[static_cast<std::size_t>(padding)]);
  sampler.attributes["align_corners"] = node.attribute_or<std::int64_t>("align_corners", 0);
  return Adoption{&output, {}, "GridSample"};
}

}  // namespace tarmac

#include <algorithm>
#include <cmath>

#include "passes/passes.h"
#include "passes/rewrite.h"
#include "passes/symbolic_shape.h"
#include "tensor/codec.h"

namespace tarmac {
namespace {

bool stretches(const Node& node) {
  return node.attribute_or<std::string>("keep_aspect_ratio_policy", "stretch") == "stretch";
}

std::string mode_of(const Node& node) { return node.attribute_or<std::string>("mode", "nearest"); }

std::string coordinates_of(const Node& node) {
  return node.attribute_or<std::string>("coordinate_transformation_mode", "half_pixel");
}

bool is_empty(const Value* value) {
  const Tensor* tensor = constant_of(value);
  return value == nullptr || (tensor != nullptr && tensor->count() == 0);
}

/// From 13 on inputs that are not used can be left out; before, `sizes` alone can.
void drop_unused_inputs(Node& node, std::int64_t opset, PassContext& context) {
  const auto drop = [&](std::size_t i, const char* name) {
    if (node.input(i) == nullptr) return;
    context.changed(node, std::string("dropped the input ") + name + ", which has no effect");
    replace_input(node, i, nullptr);
  };
  if (is_empty(node.input(3))) drop(3, "sizes");
  if (opset >= 13) {
    if (coordinates_of(node) != "tf_crop_and_resize") drop(1, "roi");
    if (is_empty(node.input(2))) drop(2, "scales");
  }
  trim_inputs(node);
}

/// Computed sizes that are whole multiples of the input's, whatever those are: constant scales, which then
/// mean exactly the same.
void settle_multiples(Graph& graph, Node& node, const SymbolicShapes& shapes, PassContext& context) {
  if (!stretches(node) || coordinates_of(node) == "tf_crop_and_resize" || node.attributes.contains("axes"))
    return;
  const SymbolicShape* from = shapes.shape(node.input(0));
  const auto to = shapes.elements(node.input(3));
  if (from == nullptr || !to || to->size() != from->size()) return;
  std::vector<float> scales;
  for (std::size_t i = 0; i < from->size(); ++i) {
    const auto factor = (*to)[i] ? (*to)[i]->divided_by((*from)[i]) : std::nullopt;
    if (!factor || !factor->known() || factor->factor() < 1) return;
    scales.push_back(static_cast<float>(factor->factor()));
  }
  context.changed(node, "its sizes are whole multiples of its input's");
  Value& value = graph.add_initializer(graph.fresh_name(node.label() + "_scales"),
                                       Tensor::from({static_cast<std::int64_t>(scales.size())}, scales));
  replace_input(node, 2, &value);
  replace_input(node, 3, nullptr);
  node.truncate_inputs(3);
}

/// Every element stays where it is. tf_half_pixel_for_nn reads beside it, tf_crop_and_resize elsewhere.
bool keeps_everything(const Node& node, std::int64_t opset) {
  if (coordinates_of(node).starts_with("tf_")) return false;
  const Value* scales = opset == 10 || node.is("Upsample") ? node.input(1) : node.input(2);
  if (const auto* attribute = node.attribute<std::vector<float>>("scales"))
    return std::all_of(attribute->begin(), attribute->end(), [](float scale) { return scale == 1.0F; });
  if (!is_empty(scales)) return uniform_value(scales) == 1.0;
  const Type& in = node.input(0)->type;
  const Type& out = node.output(0)->type;
  return node.input(3) != nullptr && same_type(in, out) && stretches(node);
}

/// Whether a size grows by a whole factor on every axis.
bool grows_by_whole_factors(const Node& node) {
  if (const Tensor* scales = constant_of(node.input(2)); scales != nullptr && scales->count() > 0) {
    const auto numbers = to_doubles(*scales);
    return numbers && std::all_of(numbers->begin(), numbers->end(),
                                  [](double scale) { return scale >= 1.0 && std::floor(scale) == scale; });
  }
  const auto from = node.input(0)->type.static_shape();
  const auto to = node.output(0)->type.static_shape();
  if (!from || !to || from->size() != to->size() || constant_of(node.input(3)) == nullptr || !stretches(node))
    return false;
  for (std::size_t i = 0; i < from->size(); ++i) {
    if ((*from)[i] <= 0 || (*to)[i] < (*from)[i] || (*to)[i] % (*from)[i] != 0) return false;
  }
  return true;
}

/// Nearest neighbours by a whole factor k: with half pixels output i reads round((i + ½)/k − ½), which is
/// floor(i/k) and never a tie. Written as asymmetric and floor, engines know it as plain repetition.
void name_repetition(Node& node, PassContext& context) {
  if (mode_of(node) != "nearest" || node.attribute_or<std::int64_t>("antialias", 0) != 0) return;
  const std::string coordinates = coordinates_of(node);
  const std::string rounding = node.attribute_or<std::string>("nearest_mode", "round_prefer_floor");
  if (coordinates != "half_pixel" && coordinates != "half_pixel_symmetric") return;
  if (!rounding.starts_with("round_prefer_") || !grows_by_whole_factors(node)) return;
  context.changed(node, "repeats each element: written as asymmetric with floor");
  node.attributes["coordinate_transformation_mode"] = std::string("asymmetric");
  node.attributes["nearest_mode"] = std::string("floor");
}

class Normalizer {
 public:
  Normalizer(const Model& model, PassContext& context)
      : model_(model), opset_(model.opset()), context_(context) {}

  void visit(Graph& graph, Node& node) {
    const bool resize = node.is("Resize");
    if ((!resize && !node.is("Upsample")) || node.input(0) == nullptr) return;
    if (resize && opset_ >= 11) {
      if (node.input(3) != nullptr && constant_of(node.input(3)) == nullptr)
        settle_multiples(graph, node, shapes(), context_);
      drop_unused_inputs(node, opset_, context_);
    }
    if (keeps_everything(node, opset_)) {
      context_.changed(node, node.op_type + " to the same size");
      pass_on(node, *node.input(0));
    } else if (resize && opset_ >= 11) {
      name_repetition(node, context_);
    }
  }

 private:
  /// Found once, and only for a model that computes sizes. Values that the pass erases are not asked for
  /// again.
  const SymbolicShapes& shapes() {
    if (!shapes_) shapes_.emplace(*model_.graph);
    return *shapes_;
  }

  const Model& model_;
  std::int64_t opset_;
  PassContext& context_;
  std::optional<SymbolicShapes> shapes_;
};

}  // namespace

Status normalize_resize(Model& model, PassContext& context) {
  Normalizer normalizer(model, context);
  visit_nodes(*model.graph, [&](Graph& graph, Node& node) { normalizer.visit(graph, node); });
  return {};
}

}  // namespace tarmac

#include <cmath>
#include <unordered_set>

#include "passes/passes.h"
#include "passes/shape_values.h"
#include "tensor/codec.h"

namespace tarmac {
namespace {

using Integers = std::vector<std::int64_t>;

class Folder {
 public:
  Folder(std::int64_t opset, PassContext& context) : opset_(opset), context_(context) {}

  void run(Graph& graph) {
    std::vector<Node*> nodes;
    for (const auto& node : graph.nodes()) nodes.push_back(node.get());
    for (Node* node : nodes) {
      values_.visit(*node);
      node->for_each_subgraph([&](Graph& nested) { run(nested); });
    }
    for (Node* node : nodes) settle_parameter(*node);
    for (Node* node : nodes) fold(*node);
  }

 private:
  /// Whether the node only makes what is known anyway, so that it goes once its results are constants.
  bool goes(const Node& node) const {
    const Value* output = node.output(0);
    if (node.outputs().size() != 1 || output == nullptr || output->is_output()) return false;
    const auto value = values_.find(output);
    return value && value->known();
  }

  /// Readers of a known result that stay get a constant.
  void fold(Node& node) {
    if (node.is("Constant") || !goes(node)) return;
    Value& output = *node.output(0);
    std::vector<Use> uses;
    for (const Use& use : output.uses()) {
      if (!goes(*use.node)) uses.push_back(use);
    }
    if (uses.empty()) return;
    Value& constant = add_constant(node.graph(), output.name(), *values_.find(&output));
    for (const Use& use : uses) use.node->set_input(use.index, &constant);
    context_.changed(node, "its result is known from shapes");
  }

  static Value& add_constant(Graph& graph, const std::string& name, const ShapeValue& value) {
    std::vector<double> numbers;
    Integers exact;
    for (const Dim& element : value.elements) {
      numbers.push_back(static_cast<double>(*element.size));
      exact.push_back(*element.size);
    }
    const Shape shape = value.is_scalar ? Shape{} : Shape{static_cast<std::int64_t>(exact.size())};
    const std::string fresh = graph.fresh_name(name + "_known");
    if (value.dtype == DType::kInt64) return graph.add_initializer(fresh, Tensor::from(shape, exact));
    return graph.add_initializer(fresh, *from_doubles(value.dtype, shape, numbers));  // int32 and bool fit
  }

  void replace_parameter(Node& node, std::size_t input, const Integers& values, const std::string& what) {
    Graph& graph = node.graph();
    Value& constant = graph.add_initializer(graph.fresh_name(node.label() + "_" + what),
                                            Tensor::from({static_cast<std::int64_t>(values.size())}, values));
    node.set_input(input, &constant);
    context_.changed(node, what + " is constant but for what the operator finds itself");
  }

  /// Parameters of which only a part is known, where the operator can find the rest.
  void settle_parameter(Node& node) {
    if (!node.domain.empty()) return;
    const std::size_t input = node.is("Resize") ? 3 : 1;
    const auto parameter = node.input(input) == nullptr || constant_of(node.input(input)) != nullptr
                               ? std::nullopt
                               : values_.find(node.input(input));
    if (node.is("Slice")) settle_slice(node);
    if (!parameter || parameter->known() || parameter->is_scalar) return;
    if (node.is("Reshape")) settle_reshape(node, *parameter);
    if (node.is("Expand")) settle_expand(node, *parameter);
    if (node.is("Resize")) settle_resize(node, *parameter);
  }

  /// Whether an unknown element is the size of the input's axis `axis`.
  static bool is_size_of(const Dim& element, const Value& input, std::int64_t axis) {
    if (element.known() || element.symbol.empty() || !input.type.is_tensor() || !input.type.shape)
      return false;
    const auto& dims = *input.type.shape;
    if (axis < 0 || axis >= static_cast<std::int64_t>(dims.size())) return false;
    const Dim& dim = dims[static_cast<std::size_t>(axis)];
    return !dim.known() && dim.symbol == element.symbol;
  }

  /// One size may be left to the operator (−1), and sizes that stay (0).
  void settle_reshape(Node& node, const ShapeValue& target) {
    if (node.attribute_or<std::int64_t>("allowzero", 0) != 0) return;
    Integers sizes;
    std::ptrdiff_t open = -1;
    bool has_negative = false;
    for (const Dim& element : target.elements)
      has_negative = has_negative || (element.known() && *element.size < 0);
    for (std::size_t i = 0; i < target.elements.size(); ++i) {
      const Dim& element = target.elements[i];
      if (element.known() && *element.size == 0) return;
      const bool last_choice = open >= 0 || has_negative;
      if (element.known()) {
        sizes.push_back(*element.size);
      } else if (!last_choice) {
        open = static_cast<std::ptrdiff_t>(i);
        sizes.push_back(-1);
      } else if (is_size_of(element, *node.input(0), static_cast<std::int64_t>(i))) {
        sizes.push_back(0);
      } else if (open >= 0 &&
                 is_size_of(target.elements[static_cast<std::size_t>(open)], *node.input(0), open)) {
        sizes[static_cast<std::size_t>(open)] = 0;
        open = static_cast<std::ptrdiff_t>(i);
        sizes.push_back(-1);
      } else {
        return;
      }
    }
    replace_parameter(node, 1, sizes, "shape");
  }

  /// 1 keeps the input's size.
  void settle_expand(Node& node, const ShapeValue& target) {
    if (!node.input(0)->type.shape) return;
    const auto rank = static_cast<std::int64_t>(node.input(0)->type.shape->size());
    const auto count = static_cast<std::int64_t>(target.elements.size());
    Integers sizes;
    for (std::int64_t i = 0; i < count; ++i) {
      const Dim& element = target.elements[static_cast<std::size_t>(i)];
      if (!element.known() && !is_size_of(element, *node.input(0), i + rank - count)) return;
      sizes.push_back(element.known() ? *element.size : 1);
    }
    replace_parameter(node, 1, sizes, "shape");
  }

  /// An end that is the size of the axis: as far as it goes.
  void settle_slice(Node& node) {
    const auto ends = constant_of(node.input(2)) == nullptr ? values_.find(node.input(2)) : std::nullopt;
    const auto axes = values_.find(node.input(3));
    const auto steps = values_.find(node.input(4));
    if (!ends || ends->known() || ends->is_scalar || ends->dtype != DType::kInt64 ||
        (node.input(3) != nullptr && (!axes || !axes->known())))
      return;
    if (node.input(4) != nullptr && (!steps || !steps->known())) return;
    const auto rank =
        node.input(0)->type.shape ? static_cast<std::int64_t>(node.input(0)->type.shape->size()) : 0;
    Integers sizes;
    for (std::size_t i = 0; i < ends->elements.size(); ++i) {
      const Dim& element = ends->elements[i];
      std::int64_t axis =
          axes && i < axes->elements.size() ? *axes->elements[i].size : static_cast<std::int64_t>(i);
      if (axis < 0) axis += rank;
      const bool backwards = steps && i < steps->elements.size() && *steps->elements[i].size < 0;
      if (!element.known() && (backwards || !is_size_of(element, *node.input(0), axis))) return;
      sizes.push_back(element.known() ? *element.size : INT64_MAX);
    }
    replace_parameter(node, 2, sizes, "ends");
  }

  /// Sizes of which some stay become scales, where those give exactly the sizes.
  void settle_resize(Node& node, const ShapeValue& target) {
    const Value& input = *node.input(0);
    const bool plain = opset_ >= 13 && !node.attributes.contains("axes") && input.type.is_tensor() &&
                       input.type.shape && input.type.shape->size() == target.elements.size() &&
                       node.attribute_or<std::string>("keep_aspect_ratio_policy", "stretch") == "stretch" &&
                       node.attribute_or<std::string>("coordinate_transformation_mode", "half_pixel") !=
                           "tf_crop_and_resize";
    if (!plain) return;
    std::vector<float> scales;
    for (std::size_t i = 0; i < target.elements.size(); ++i) {
      const Dim& element = target.elements[i];
      const Dim& size = (*input.type.shape)[i];
      if (is_size_of(element, input, static_cast<std::int64_t>(i))) {
        scales.push_back(1);
        continue;
      }
      if (!element.known() || !size.known() || *size.size == 0) return;
      const float scale = static_cast<float>(*element.size) / static_cast<float>(*size.size);
      if (std::floor(scale * static_cast<float>(*size.size)) != static_cast<float>(*element.size)) return;
      scales.push_back(scale);
    }
    Graph& graph = node.graph();
    Value& constant = graph.add_initializer(graph.fresh_name(node.label() + "_scales"),
                                            Tensor::from({static_cast<std::int64_t>(scales.size())}, scales));
    node.set_input(2, &constant);
    node.truncate_inputs(3);
    context_.changed(node, "sizes became constant scales");
  }

  const std::int64_t opset_;
  PassContext& context_;
  ShapeValues values_;
};

}  // namespace

Status fold_shape_computations(Model& model, PassContext& context) {
  Folder(model.opset(), context).run(*model.graph);
  return {};
}

}  // namespace tarmac

#include <fmt/format.h>

#include <algorithm>

#include "passes/deformable_attention_inputs.h"
#include "passes/lift.h"
#include "passes/passes.h"
#include "passes/region.h"
#include "passes/rewrite.h"
#include "tensor/codec.h"

namespace tarmac {
namespace {

constexpr const char* kOperator = "MultiScaleDeformableAttention";

class Lifter {
 public:
  Lifter(Model& model, PassContext& context) : model_(model), context_(context), shapes_(*model.graph) {}

  Status run() {
    for (Node* sum : nodes_of(model_, "ReduceSum")) {
      std::string why;
      const auto found = match_deformable_attention(*sum, shapes_, why);
      if (found) TARMAC_CHECK_OK(lift(*found, *sum, why));
      if (!why.empty()) context_.decline(*sum, why);
    }
    erase_unused(replaced_);
    return {};
  }

 private:
  /// The core (value, locations, weights), and what stands around it where it fits.
  Status lift(const DeformableAttention& found, Node& sum, std::string& why) {
    const std::vector<std::string> value_axes = {"B", "S", "M", "D"};
    LiftOperand weights = LiftOperand::closest(found.weights, {"B", "Q", "M", "L", "P"});
    LiftOperand sampling = locations(found);
    const LiftOperand result = closest_result(found);
    AttentionDefinition definition{
        .levels = found.levels, .heads = found.heads, .depth = found.depth, .points = found.points};
    if (auto logits = take_softmax(found)) {
      weights = *std::move(logits);
      definition.softmax = true;
    }
    auto reference = take_reference(found, shapes_);
    if (reference) {
      sampling = std::move(reference->offsets);
      definition.reference = reference->form;
      definition.reference_count = reference->count;
    }
    const auto mask = result.axes == result.wanted ? take_mask(*result.value, shapes_) : std::nullopt;
    definition.mask = mask.has_value();
    Value& replaced = mask ? *mask->product : *result.value;
    Node& before = *replaced.producer();
    // The operator gives the type of its value; with 16 bits around it that should have 16 bits as well.
    LiftOperand value = LiftOperand::closest(found.value, value_axes, replaced.type.dtype);
    if (value.value == nullptr) value = LiftOperand::closest(found.value, value_axes);

    std::vector<Value*> inputs = {place(value, before),
                                  nullptr,
                                  nullptr,
                                  place(sampling, before),
                                  place(weights, before),
                                  reference ? place(reference->references, before) : nullptr,
                                  nullptr,
                                  mask ? place(mask->mask, before) : nullptr};
    if (inputs[0] == nullptr || inputs[3] == nullptr || inputs[4] == nullptr ||
        (reference && inputs[5] == nullptr) || (mask && inputs[7] == nullptr)) {
      replaced_.insert(replaced_.end(), inputs.begin(), inputs.end());
      why =
          "sizes that are not known stand in the way of a Reshape to the operator's inputs; --fix-shape may "
          "help";
      return {};
    }
    definition.value = inputs[0]->type.dtype;
    definition.sampling = inputs[3]->type.dtype;
    definition.weights = inputs[4]->type.dtype;
    if (reference) definition.references = inputs[5]->type.dtype;
    inputs[1] = &spatial_shapes(found, before.graph());
    inputs[2] = level_starts(found, before.graph());
    TARMAC_TRY(Value* const output, add_call(found, definition, std::move(inputs), replaced, before));
    output->producer()->name = sum.name;
    LiftOperand whole{output, result.wanted, result.layout, result.axes};
    Value* placed = mask ? output : place(whole, before);
    if (placed == nullptr) {
      replaced_.push_back(output);
      why =
          "batch and queries of unknown size stand in the way of a Reshape of the result; --fix-shape may "
          "help";
      return {};
    }
    if (definition.value != replaced.type.dtype) {
      placed = &before.graph().add_op("Cast", {placed}, replaced.name() + "_cast", &before);
      placed->producer()->attributes["to"] = static_cast<std::int64_t>(replaced.type.dtype);
    }
    if (const SymbolicShape* shape = shapes_.shape(&replaced)) shapes_.set(*placed, SymbolicShape(*shape));
    placed->type = Type(replaced.type);
    replaced.graph().replace_uses(replaced, *placed);
    replaced_.push_back(&replaced);
    report(found, definition, sum);
    return {};
  }

  Result<Value*> add_call(const DeformableAttention& found, const AttentionDefinition& definition,
                          std::vector<Value*> inputs, const Value& replaced, Node& before) {
    LiftedCall call;
    call.op_type = kOperator;
    call.inputs = std::move(inputs);
    call.overload = definition.overload();
    call.body = definition.body(model_.opset());
    if (definition.softmax) call.attributes["softmax"] = std::int64_t{1};
    if (definition.reference == ReferenceForm::kPoints)
      call.attributes["reference_mode"] = std::string("points");
    SymbolicShape shape;
    for (const AtomGroup& group : axes_of_letters(found.result, {"N", "Q", "MD"}))
      shape.push_back(found.result.layout().size(group));
    TARMAC_TRY(Value* const output, add_lifted(model_, before, std::move(call), replaced.name(),
                                               type_with_shape(definition.value, shape)));
    shapes_.set(*output, shape);
    return output;
  }

  void report(const DeformableAttention& found, const AttentionDefinition& definition, const Node& sum) {
    std::string with;
    const auto add = [&](const char* what) {
      with += (with.empty() ? ", with its " : " and ") + std::string(what);
    };
    if (definition.softmax) add("softmax");
    if (definition.reference != ReferenceForm::kNone) add("reference points");
    if (definition.mask) add("mask");
    context_.changed(sum, fmt::format("put one {} in place of {} GridSample{}, weights and sum{}", kOperator,
                                      found.levels.size(), found.levels.size() == 1 ? "" : "s", with));
  }

  static LiftOperand locations(const DeformableAttention& found) {
    LiftOperand operand;
    operand.layout = found.sampling.layout();
    operand.wanted = axes_of_letters(found.sampling, {"B", "Q", "M", "L", "P", "X"});
    const LayoutStep* step = location_step(found.sampling, operand.wanted);
    operand.value = step->value;
    operand.axes = step->axes;
    return operand;
  }

  /// The last value that is the operator's result, else one that is a transpose of it, else the sum itself;
  /// `wanted` is the operator's form.
  static LiftOperand closest_result(const DeformableAttention& found) {
    LiftOperand operand;
    operand.layout = found.result.layout();
    operand.wanted = axes_of_letters(found.result, {"N", "Q", "MD"});
    const auto& steps = found.result.steps();
    const auto sorted = [](std::vector<AtomGroup> axes) {
      std::sort(axes.begin(), axes.end());
      return axes;
    };
    const LayoutStep* exact = nullptr;
    const LayoutStep* turned = nullptr;
    for (std::size_t i = found.sum; i < steps.size(); ++i) {
      if (steps[i].axes == operand.wanted) exact = &steps[i];
      if (sorted(steps[i].axes) == sorted(operand.wanted)) turned = &steps[i];
    }
    const LayoutStep* best = exact != nullptr ? exact : turned != nullptr ? turned : &steps[found.sum];
    operand.value = best->value;
    operand.axes = best->axes;
    return operand;
  }

  /// The operand as the operator wants it; null where its form cannot be brought about.
  Value* place(const LiftOperand& operand, Node& before) {
    if (operand.value == nullptr) return nullptr;
    Value* value = rearranged(operand.value, operand.axes, operand.layout, operand.wanted, before, shapes_);
    if (value == nullptr || nearly(operand.scale, 1.0, DType::kFloat32)) return value;
    auto factor = from_doubles(value->type.dtype, {}, {operand.scale});
    if (!factor) return nullptr;
    Graph& graph = before.graph();
    Value& scale = graph.add_initializer(graph.fresh_name(value->name() + "_scale"), *std::move(factor));
    Value& scaled = graph.add_op("Mul", {value, &scale}, value->name() + "_scaled", &before);
    scaled.type = value->type;
    if (const SymbolicShape* shape = shapes_.shape(value)) shapes_.set(scaled, SymbolicShape(*shape));
    return &scaled;
  }

  static Value& spatial_shapes(const DeformableAttention& found, Graph& graph) {
    std::vector<std::int64_t> sizes;
    for (const AttentionLevel& level : found.levels) sizes.insert(sizes.end(), {level.height, level.width});
    const auto count = static_cast<std::int64_t>(found.levels.size());
    return graph.add_initializer(graph.fresh_name("spatial_shapes"), Tensor::from({count, 2}, sizes));
  }

  /// Left out where one level follows the other.
  static Value* level_starts(const DeformableAttention& found, Graph& graph) {
    std::vector<std::int64_t> starts;
    std::int64_t next = 0;
    bool in_turn = true;
    for (const AttentionLevel& level : found.levels) {
      in_turn = in_turn && level.start == next;
      starts.push_back(level.start);
      next += level.height * level.width;
    }
    return in_turn ? nullptr : &add_integers(graph, "level_start_index", starts);
  }

  Model& model_;
  PassContext& context_;
  SymbolicShapes shapes_;
  std::vector<Value*> replaced_;  ///< erased at the end: the shapes are known by address
};

}  // namespace

Status lift_deformable_attention(Model& model, PassContext& context) {
  if (!may_lift(context, kOperator) || nodes_of(model, "GridSample").empty()) return {};
  return Lifter(model, context).run();
}

}  // namespace tarmac

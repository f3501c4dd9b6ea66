#include <fmt/format.h>

#include <algorithm>

#include "ops/operator.h"
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
    for (Node* call : nodes_of(model_, kOperator, ops::kDomain)) {
      std::string ignored;
      const auto found = read_deformable_attention(*call, shapes_);
      if (found) TARMAC_CHECK_OK(lift(*found, *call, ignored));
    }
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
  /// The core (value, locations, weights), and what stands around it where it fits. A call keeps what it has,
  /// and stays where nothing joins it.
  Status lift(const DeformableAttention& found, Node& root, std::string& why) {
    const std::vector<std::string> value_axes = {"B", "S", "M", "D"};
    AttentionDefinition definition{
        .levels = found.levels, .heads = found.heads, .depth = found.depth, .points = found.points};
    LiftOperand weights = LiftOperand::closest(found.weights, {"B", "Q", "M", "L", "P"});
    LiftOperand sampling = locations(found);
    std::string with;
    if (found.call != nullptr) {
      if (weights.spread) {
        add_word(with, "repeated weights");
      } else {
        weights = whole_input(found.weights);
      }
      sampling = whole_input(found.sampling);
      read_call(*found.call, definition);
    }
    const LiftOperand result = closest_result(found);
    const auto logits = definition.softmax ? std::nullopt : take_softmax(found, shapes_);
    if (logits) {
      weights = *logits;
      definition.softmax = true;
      add_word(with, "softmax");
    }
    const auto reference =
        definition.reference == ReferenceForm::kNone ? take_reference(found, shapes_) : std::nullopt;
    if (reference) {
      sampling = reference->offsets;
      definition.reference = reference->form;
      definition.reference_count = reference->count;
      definition.references_spread = reference->references.spread;
      add_word(with, "reference points");
    }
    const auto mask = definition.mask ? std::nullopt : take_mask(found, shapes_);
    if (mask) {
      definition.mask = true;
      add_word(with, "mask");
    }
    if (found.call != nullptr && with.empty()) return {};
    definition.sampling_spread |= sampling.spread;
    definition.weights_spread |= weights.spread;
    Value& replaced = *result.value;
    Node& before = found.call != nullptr ? *found.call : *replaced.producer();
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
    if (found.call != nullptr) {
      if (!reference) inputs[5] = found.call->input(5);
      if (!mask) inputs[7] = found.call->input(7);
    }
    definition.value = inputs[0]->type.dtype;
    definition.sampling = inputs[3]->type.dtype;
    definition.weights = inputs[4]->type.dtype;
    if (inputs[5] != nullptr) definition.references = inputs[5]->type.dtype;
    inputs[1] = &spatial_shapes(found, before.graph());
    inputs[2] = level_starts(found, before.graph());
    TARMAC_TRY(Value* const output, add_call(found, definition, std::move(inputs), replaced, before));
    output->producer()->name = root.name;
    Value* placed = place({output, result.wanted, result.layout, result.axes}, before);
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
    Value* seen = mask && mask->result != &replaced ? mask->result : placed;
    replaced.graph().replace_uses(replaced, *placed);
    replaced_.push_back(&replaced);
    if (mask) {
      mask->product->graph().replace_uses(*mask->product, *seen);
      replaced_.push_back(mask->product);
      before.graph().sort();  // the mask may come from nodes after the attention
    }
    if (found.call != nullptr) {
      context_.changed(root, "took" + with + " into the operator");
    } else {
      context_.changed(root, fmt::format("put one {} in place of {} GridSample{}, weights and sum{}",
                                         kOperator, found.levels.size(), found.levels.size() == 1 ? "" : "s",
                                         with.empty() ? with : ", with" + with));
    }
    return {};
  }

  Result<Value*> add_call(const DeformableAttention& found, const AttentionDefinition& definition,
                          std::vector<Value*> inputs, const Value& replaced, Node& before) {
    LiftedCall call;
    call.op_type = kOperator;
    call.inputs = std::move(inputs);
    if (model_.opset() >= 16) {  // GridSample
      call.overload = definition.overload();
      call.body = definition.body(model_.opset());
    }
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

  static void add_word(std::string& with, const char* what) {
    with += (with.empty() ? " its " : " and ") + std::string(what);
  }

  /// An input of a call as it is.
  static LiftOperand whole_input(const LetteredLayout& letters) {
    LiftOperand operand;
    operand.value = letters.steps().back().value;
    operand.axes = letters.steps().back().axes;
    operand.layout = letters.layout();
    operand.wanted = operand.axes;
    return operand;
  }

  /// What a call does beside the core.
  void read_call(const Node& call, AttentionDefinition& definition) const {
    const auto is_spread = [&](std::size_t input) {
      const SymbolicShape* shape = shapes_.shape(call.input(input));
      const SymbolicShape* whole = shapes_.shape(call.input(0));
      return shape == nullptr || !(shape->front() == whole->front());
    };
    definition.softmax = call.attribute_or<std::int64_t>("softmax", 0) != 0;
    definition.mask = call.input(7) != nullptr;
    definition.sampling_spread = is_spread(3);
    definition.weights_spread = is_spread(4);
    const SymbolicShape* references = shapes_.shape(call.input(5));
    if (references == nullptr) return;
    const bool by_points = call.attribute_or<std::string>("reference_mode", "levels") == "points";
    definition.reference = by_points                  ? ReferenceForm::kPoints
                           : references->back().is(4) ? ReferenceForm::kBoxes
                                                      : ReferenceForm::kLevels;
    if (by_points) definition.reference_count = (*references)[2].factor();
    definition.references_spread = is_spread(5);
  }

  static LiftOperand locations(const DeformableAttention& found) {
    LiftOperand operand;
    operand.layout = found.sampling.layout();
    operand.wanted = axes_of_letters(found.sampling, {"B", "Q", "M", "L", "P", "X"});
    const LayoutStep* step = location_step(found.sampling, found.from_grid, operand.wanted);
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
  if (!may_lift(context, kOperator) ||
      (nodes_of(model, "GridSample").empty() && nodes_of(model, kOperator, ops::kDomain).empty()))
    return {};
  return Lifter(model, context).run();
}

}  // namespace tarmac

#include "passes/attention_rewrite.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace tarmac {
namespace {

Type with_shape(DType dtype, const SymbolicShape& shape) {
  Type type;
  if (dtype == DType::kUndefined) return type;
  type.kind = Type::Kind::kTensor;
  type.dtype = dtype;
  type.shape.emplace();
  for (const SymbolicDim& dim : shape) type.shape->push_back(dim.known() ? Dim::of(dim.factor()) : Dim{});
  return type;
}

constexpr int kMaxShapeNodes = 64;

bool is_unread(const Value* value) { return value == nullptr || value->unused(); }

std::vector<Node*> shapes_of(const Node& node) {
  std::vector<Node*> shapes;
  for (const Value* output : node.outputs()) {
    if (output == nullptr) continue;
    for (const Use& use : output->uses()) {
      if (use.node->is("Shape")) shapes.push_back(use.node);
    }
  }
  return shapes;
}

/// Whether nothing reads what is computed from the node.
bool leads_nowhere(const Node& node, int& budget) {
  if (--budget < 0) return false;
  return std::all_of(node.outputs().begin(), node.outputs().end(), [&](const Value* output) {
    return output == nullptr ||
           (!output->is_output() &&
            std::all_of(output->uses().begin(), output->uses().end(),
                        [&](const Use& use) { return leads_nowhere(*use.node, budget); }));
  });
}

/// Erases a node that leads nowhere after those that read it.
void erase_forward(Node& node, std::set<Node*>& erased) {
  for (const Value* output : node.outputs()) {
    while (output != nullptr && !output->uses().empty()) erase_forward(*output->uses().front().node, erased);
  }
  erased.insert(&node);
  node.graph().erase(node);
}

std::vector<AddedMask> masks_of(const AttentionCore& core) {
  return core.keep != nullptr ? std::vector<AddedMask>{{core.keep}} : core.added;
}

/// The mask's shape when it is added to scores [B, H, S, M].
std::optional<SymbolicShape> shape_of(const AddedMask& mask, const SymbolicShapes& shapes) {
  const SymbolicShape* shape = shapes.shape(mask.value);
  if (shape == nullptr) return std::nullopt;
  if (mask.windows == 0) return *shape;
  return SymbolicShape{(*shape)[1].times(SymbolicDim::of(mask.windows)), (*shape)[2], (*shape)[3],
                       (*shape)[4]};
}

}  // namespace

bool has_softmax(const Model& model) {
  bool found = false;
  for_each_node(*model.graph, [&](const Node& node) { found = found || node.is("Softmax"); });
  return found;
}

void AttentionRewriter::for_each(const std::function<void(const AttentionCore&)>& visit_core) {
  visit(*model_.graph, visit_core);
}

void AttentionRewriter::visit(Graph& graph, const std::function<void(const AttentionCore&)>& visit_core) {
  const auto forget = [this] {
    transposed_.clear();
    split_.clear();
    expanded_.clear();
  };
  forget();
  std::vector<Node*> nodes;
  for (const auto& node : graph.nodes()) nodes.push_back(node.get());
  for (Node* node : nodes) {
    bool nested_graphs = false;
    node->for_each_subgraph([&](Graph& nested) {
      nested_graphs = true;
      visit(nested, visit_core);
    });
    if (nested_graphs) forget();
    if (!node->is("Softmax")) continue;
    std::string why;
    const auto core = match_attention(*node, shapes_, model_.opset(), why);
    if (core) {
      visit_core(*core);
    } else if (!why.empty()) {
      context_.decline(*node, why);
    }
  }
}

Value* AttentionRewriter::add(const char* op_type, std::vector<Value*> inputs, DType dtype,
                              const SymbolicShape& shape, Node& before) {
  const std::string name = inputs.front()->name() + "_" + op_type;
  Value& value = before.graph().add_op(op_type, std::move(inputs), name, &before);
  value.type = with_shape(dtype, shape);
  shapes_.set(value, shape);
  return &value;
}

Value* AttentionRewriter::constant(const std::vector<std::int64_t>& values, Node& before) {
  Graph& graph = before.graph();
  Tensor tensor = Tensor::from<std::int64_t>({static_cast<std::int64_t>(values.size())}, values);
  return &graph.add_initializer(graph.fresh_name(before.label() + "_sizes"), std::move(tensor));
}

Value* AttentionRewriter::transposed(Value* value, const std::vector<std::int64_t>& permutation,
                                     Node& before) {
  if (std::is_sorted(permutation.begin(), permutation.end())) return value;
  Value*& known = transposed_[{value, permutation}];
  if (known == nullptr) {
    const SymbolicShape from = *shapes_.shape(value);
    SymbolicShape shape;
    for (const std::int64_t axis : permutation) shape.push_back(from[static_cast<std::size_t>(axis)]);
    known = add("Transpose", {value}, value->type.dtype, shape, before);
    known->producer()->attributes["perm"] = permutation;
  }
  return known;
}

Value* AttentionRewriter::source(const HeadSource& source, Node& before) {
  Value* whole = transposed(source.value, source.permutation, before);
  if (source.parts == 1) return whole;
  std::vector<Value*>& parts = split_[{whole, source.parts}];
  if (parts.empty()) {
    SymbolicShape shape = *shapes_.shape(whole);
    shape.back() = *shape.back().divided_by(SymbolicDim::of(source.parts));
    Graph& graph = before.graph();
    for (std::int64_t i = 0; i < source.parts; ++i) {
      Value& part = graph.add_value(graph.fresh_name(fmt::format("{}_part{}", whole->name(), i)),
                                    with_shape(whole->type.dtype, shape));
      shapes_.set(part, shape);
      parts.push_back(&part);
    }
    Node& split = graph.add_node("Split", {whole}, parts, &before);
    split.attributes["axis"] = std::int64_t{2};
    if (model_.opset() >= 18) split.attributes["num_outputs"] = source.parts;
  }
  return parts[static_cast<std::size_t>(source.part)];
}

std::string AttentionRewriter::check_masks(const AttentionCore& core, std::int64_t heads) const {
  const SymbolicShape* scores = shapes_.shape(core.scores);
  bool covers_keys = masks_of(core).empty();
  bool per_row = false;
  for (const AddedMask& mask : masks_of(core)) {
    const auto dims = shape_of(mask, shapes_);
    bool fits = scores != nullptr && dims && !dims->empty() && dims->size() <= scores->size();
    for (std::size_t i = 0; fits && i < dims->size(); ++i) {
      const SymbolicDim& into = (*scores)[scores->size() - dims->size() + i];
      fits = (*dims)[i].is(1) || (*dims)[i] == into;
    }
    if (!fits)
      return fmt::format(
          "mask '{}' is not known to be broadcast to the scores '{}'; fixed shapes (--fix-shape) may help",
          mask.value->name(), core.scores->name());
    covers_keys = covers_keys || dims->back() == scores->back();
    per_row = per_row || (dims->size() == 3 && !(*dims)[0].is(1));
  }
  if (!covers_keys)
    return "the mask is the same for every key, which changes nothing and the operator does not take";
  if (core.rank == 3 && per_row && heads > 1 && !(scores->back().known() && (*scores)[1].known()))
    return "the mask has batch and heads in one axis and unknown lengths; give fixed shapes (--fix-shape)";
  return {};
}

Value* AttentionRewriter::expanded(Value* mask, const SymbolicDim& length, Value* query, std::size_t axis,
                                   Node& before) {
  for (const Expanded& known : expanded_) {
    if (known.mask == mask && known.length == length) return known.result;
  }
  SymbolicShape shape = *shapes_.shape(mask);
  if (shape.size() < 2) shape.insert(shape.begin(), SymbolicDim::of(1));
  std::vector<std::int64_t> sizes(shape.size(), 1);
  Value* target = nullptr;
  if (length.known()) {
    sizes[sizes.size() - 2] = length.factor();
    target = constant(sizes, before);
  } else {
    const SymbolicShape one = {SymbolicDim::of(1)};
    const SymbolicShape rank = {SymbolicDim::of(static_cast<std::int64_t>(shapes_.shape(query)->size()))};
    Value* all = add("Shape", {query}, DType::kInt64, rank, before);
    Value* size =
        add("Gather", {all, constant({static_cast<std::int64_t>(axis)}, before)}, DType::kInt64, one, before);
    std::vector<Value*> parts = {size, constant({1}, before)};
    if (sizes.size() > 2)
      parts.insert(parts.begin(), constant(std::vector<std::int64_t>(sizes.size() - 2, 1), before));
    target = add("Concat", parts, DType::kInt64, {SymbolicDim::of(static_cast<std::int64_t>(sizes.size()))},
                 before);
    target->producer()->attributes["axis"] = std::int64_t{0};
  }
  shape[shape.size() - 2] = length;
  Value* result = add("Expand", {mask, target}, mask->type.dtype, shape, before);
  expanded_.push_back({mask, length, result});
  return result;
}

Value* AttentionRewriter::mask(const AttentionCore& core, std::int64_t heads, Value* query, std::size_t axis,
                               bool full_rank, Node& before) {
  Value* mask = nullptr;
  for (const AddedMask& added : masks_of(core)) {
    Value* next = unwindowed(added, before);
    if (mask == nullptr) {
      mask = next;
      continue;
    }
    SymbolicShape shape = *shapes_.shape(mask);
    const SymbolicShape& other = *shapes_.shape(next);
    if (shape.size() < other.size())
      shape.insert(shape.begin(), other.size() - shape.size(), SymbolicDim::of(1));
    for (std::size_t k = 0; k < other.size(); ++k) {
      SymbolicDim& dim = shape[shape.size() - other.size() + k];
      if (dim.is(1)) dim = other[k];
    }
    mask = add("Add", {mask, next}, mask->type.dtype, shape, before);
  }
  if (mask == nullptr) return nullptr;
  const SymbolicShape scores = *shapes_.shape(core.scores);
  if (core.keep_is_inverted)
    mask = add("Not", {mask}, DType::kBool, SymbolicShape(*shapes_.shape(mask)), before);
  const SymbolicDim& length = scores[scores.size() - 2];
  const SymbolicShape* dims = shapes_.shape(mask);
  if (dims->size() < 2 || !((*dims)[dims->size() - 2] == length))
    mask = expanded(mask, length, query, axis, before);

  SymbolicShape shape = *shapes_.shape(mask);
  const auto reshaped = [&](const std::vector<std::int64_t>& target) {
    return add("Reshape", {mask, constant(target, before)}, mask->type.dtype, shape, before);
  };
  const auto known = [](const SymbolicDim& dim) { return dim.known() ? dim.factor() : 0; };
  if (core.rank == 3 && shape.size() == 3 && !shape[0].is(1)) {
    // [B·H, S, M]; with one head a zero copies what it stands for.
    shape = {*shape[0].divided_by(SymbolicDim::of(heads)), SymbolicDim::of(heads), shape[1], shape[2]};
    if (heads == 1) return added_axes(mask, {1}, shape, before);
    return reshaped({-1, heads, known(shape[2]), known(shape[3])});
  }
  if (full_rank && shape.size() < 4) {
    std::vector<std::int64_t> axes;
    while (shape.size() < 4) {
      axes.push_back(static_cast<std::int64_t>(axes.size()));
      shape.insert(shape.begin(), SymbolicDim::of(1));
    }
    return added_axes(mask, axes, shape, before);
  }
  return mask;
}

Value* AttentionRewriter::unwindowed(const AddedMask& mask, Node& before) {
  if (mask.windows == 0) return mask.value;
  const SymbolicShape shape = *shape_of(mask, shapes_);
  const SymbolicShape& from = *shapes_.shape(mask.value);
  Value* value = mask.value;
  if (mask.windows > 1) {
    SymbolicShape repeated = from;
    repeated[0] = SymbolicDim::of(mask.windows);
    value = add("Expand", {value, constant({mask.windows, 1, 1, 1, 1}, before)}, value->type.dtype, repeated,
                before);
  }
  std::vector<std::int64_t> sizes;
  for (const SymbolicDim& dim : shape) sizes.push_back(dim.factor());
  return add("Reshape", {value, constant(sizes, before)}, value->type.dtype, shape, before);
}

Value* AttentionRewriter::added_axes(Value* value, const std::vector<std::int64_t>& axes,
                                     const SymbolicShape& shape, Node& before) {
  if (model_.opset() >= 13)
    return add("Unsqueeze", {value, constant(axes, before)}, value->type.dtype, shape, before);
  Value* result = add("Unsqueeze", {value}, value->type.dtype, shape, before);
  result->producer()->attributes["axes"] = axes;
  return result;
}

SymbolicShape AttentionRewriter::joined_shape(const AttentionCore& core, const HeadForm& form) const {
  SymbolicShape shape(core.rank, SymbolicDim::of(1));
  for (std::size_t i = 0; i < core.rank; ++i)
    shape[static_cast<std::size_t>(core.result_permutation[i])] = (*shapes_.shape(core.result))[i];
  const SymbolicDim heads = SymbolicDim::of(form.query_heads);
  if (core.rank == 4) return {shape[0], shape[2], shape[1].times(shape[3])};
  return {shape[0].divided_by(heads).value_or(shape[0]), shape[1], shape[2].times(heads)};
}

void AttentionRewriter::replace(const HeadResult& result, Value& attention) {
  Node& last = *result.replaced->producer();  // its shape may be computed after the attention
  Value* value = transposed(&attention, result.permutation, last);
  if (result.shape != nullptr)
    value = add("Reshape", {value, result.shape}, value->type.dtype, *shapes_.shape(result.replaced), last);
  replace(*result.replaced, *value);
}

void AttentionRewriter::replace(Value& old_result, Value& attention) {
  const Type type = old_result.type;
  shapes_.set(attention, *shapes_.shape(&old_result));
  attention.type = type;
  dropped_.push_back(old_result.producer());
  old_result.graph().replace_uses(old_result, attention);
}

std::string AttentionRewriter::contradiction(std::int64_t heads, std::optional<std::int64_t> hidden) const {
  const auto& asked = context_.heads;
  const auto& width = context_.hidden_size;
  if (asked && width && *width % *asked != 0)
    return fmt::format("a hidden size of {} is no multiple of {} heads", *width, *asked);
  if (asked && *asked != heads)
    return fmt::format("the graph has {} heads here, not {} as asked for with --heads", heads, *asked);
  if (width && hidden && *width != *hidden)
    return fmt::format("the graph has a hidden size of {} here, not {} as asked for with --hidden", *hidden,
                       *width);
  return {};
}

void AttentionRewriter::finish() {
  std::set<Node*> erased;
  while (!dropped_.empty()) {
    Node* node = dropped_.back();
    dropped_.pop_back();
    if (erased.contains(node)) continue;
    // Shapes whose use was folded away still read what they measured.
    for (Node* shape : shapes_of(*node)) {
      int budget = kMaxShapeNodes;
      if (leads_nowhere(*shape, budget)) erase_forward(*shape, erased);
    }
    const auto& outputs = node->outputs();
    if (!std::all_of(outputs.begin(), outputs.end(), is_unread)) continue;
    for (const Value* input : node->inputs()) {
      if (input != nullptr && input->producer() != nullptr) dropped_.push_back(input->producer());
    }
    erased.insert(node);
    node->graph().erase(*node);
  }
}

}  // namespace tarmac

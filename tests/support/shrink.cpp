#include "support/shrink.h"

#include <algorithm>
#include <set>

#include "graph/clone.h"
#include "graph/model_io.h"
#include "passes/infer_shapes.h"
#include "tensor/codec.h"

namespace tarmac::test {
namespace {

constexpr int kMaxTrials = 600;

Example copy(const Example& example) { return {clone_model(example.model), example.inputs}; }

/// Every tensor that a node of the main graph computes, by name.
Tensors inner_values(const Example& example) {
  Model model = clone_model(example.model);
  if (!infer_shapes(model)) return {};
  for (const auto& node : model.graph->nodes()) {
    for (Value* output : node->outputs()) {
      if (output != nullptr && !output->is_output() && output->type.is_tensor())
        model.graph->add_output(*output);
    }
  }
  auto values = run_model(model, example.inputs, "onnxruntime");
  return values ? *std::move(values) : Tensors();
}

/// The nodes that `outputs` need, without those in `cut`, as an example of their own.
std::optional<Example> part_of(const Example& example, const Tensors& values,
                               const std::vector<const Value*>& outputs, const std::set<const Node*>& cut) {
  std::set<const Node*> needed;
  std::vector<const Value*> open(outputs.begin(), outputs.end());
  while (!open.empty()) {
    const Value* value = open.back();
    open.pop_back();
    const Node* node = value == nullptr ? nullptr : value->producer();
    // A node of a nested graph counts with the node that holds the graph.
    while (node != nullptr && node->graph().parent() != nullptr) node = node->graph().parent();
    if (node == nullptr || cut.contains(node) || !needed.insert(node).second) continue;
    open.insert(open.end(), node->inputs().begin(), node->inputs().end());
    const std::function<void(const Graph&)> inside = [&](const Graph& graph) {
      for (const auto& inner : graph.nodes()) {
        open.insert(open.end(), inner->inputs().begin(), inner->inputs().end());
        inner->for_each_subgraph(inside);
      }
    };
    node->for_each_subgraph(inside);
  }
  std::vector<const Node*> nodes;
  for (const auto& node : example.model.graph->nodes()) {
    if (needed.contains(node.get())) nodes.push_back(node.get());
  }
  if (nodes.empty()) return std::nullopt;
  for (const Value* output : outputs) {
    if (output->producer() == nullptr || !needed.contains(output->producer())) return std::nullopt;
  }
  Example part{extract_nodes(example.model, nodes, outputs), {}};
  for (Value* input : part.model.graph->inputs()) {
    const auto given = example.inputs.find(input->name());
    const auto found = values.find(input->name());
    if (given != example.inputs.end()) {
      part.inputs[input->name()] = given->second;
    } else if (found != values.end()) {
      part.inputs[input->name()] = found->second;
      input->type = Type::tensor(found->second.dtype(), found->second.shape());
    } else {
      return std::nullopt;
    }
  }
  for (Value* output : part.model.graph->outputs()) {
    const auto found = values.find(output->name());
    if (!output->type.is_tensor() && found != values.end())
      output->type = Type::tensor(found->second.dtype());
  }
  return part;
}

class Shrinker {
 public:
  Shrinker(Example example, const std::function<bool(const Example&)>& fails)
      : best_(std::move(example)), fails_(fails) {}

  Example run() {
    bool smaller = true;
    while (smaller && trials_ < kMaxTrials) {
      values_ = inner_values(best_);
      smaller = fewer_outputs() || earlier_outputs() || cut_nodes() || bypass_nodes();
    }
    return std::move(best_);
  }

 private:
  bool accept(std::optional<Example> candidate) {
    if (!candidate || ++trials_ > kMaxTrials || !fails_(*candidate)) return false;
    best_ = *std::move(candidate);
    return true;
  }
  [[nodiscard]] std::vector<const Value*> outputs() const {
    return {best_.model.graph->outputs().begin(), best_.model.graph->outputs().end()};
  }

  bool fewer_outputs() {
    if (outputs().size() < 2) return false;
    for (const Value* output : outputs()) {
      if (accept(part_of(best_, values_, {output}, {}))) return true;
    }
    return false;
  }

  /// An inner value as the output instead.
  bool earlier_outputs() {
    if (outputs().size() != 1 || outputs()[0]->producer() == nullptr) return false;
    for (const Value* input : outputs()[0]->producer()->inputs()) {
      if (input == nullptr || input->producer() == nullptr || input->is_output()) continue;
      if (accept(part_of(best_, values_, {input}, {}))) return true;
    }
    return false;
  }

  bool cut_nodes() {
    for (auto it = best_.model.graph->nodes().rbegin(); it != best_.model.graph->nodes().rend(); ++it) {
      if (accept(part_of(best_, values_, outputs(), {it->get()}))) return true;
    }
    return false;
  }

  bool bypass_nodes() {
    const std::size_t count = best_.model.graph->nodes().size();
    for (std::size_t index = 0; index < count; ++index) {
      Example candidate = copy(best_);
      Graph& graph = *candidate.model.graph;
      const auto it = std::next(graph.nodes().begin(), static_cast<std::ptrdiff_t>(index));
      Node& node = **it;
      Value* result = node.output(0);
      const auto made = result == nullptr ? values_.end() : values_.find(result->name());
      if (made == values_.end()) continue;
      for (Value* input : node.inputs()) {
        if (input == nullptr || &input->graph() != &graph) continue;
        const auto computed = values_.find(input->name());
        const auto given = best_.inputs.find(input->name());
        const Tensor* tensor = computed != values_.end()     ? &computed->second
                               : given != best_.inputs.end() ? &given->second
                                                             : nullptr;
        if (tensor == nullptr || tensor->dtype() != made->second.dtype() ||
            tensor->shape() != made->second.shape())
          continue;
        graph.replace_uses(*result, *input);
        // Values further down have changed, so only the numbers of the inputs still hold.
        std::vector<const Value*> kept(graph.outputs().begin(), graph.outputs().end());
        if (accept(part_of(candidate, values_, kept, {}))) return true;
        break;
      }
    }
    return false;
  }

  Example best_;
  const std::function<bool(const Example&)>& fails_;
  Tensors values_;
  int trials_ = 0;
};

}  // namespace

Example shrink(const Example& example, const std::function<bool(const Example&)>& fails) {
  return Shrinker(copy(example), fails).run();
}

std::string describe(const Example& example) {
  std::string text = model_to_text(example.model, 64);
  for (const auto& [name, tensor] : example.inputs) {
    text += name + " = " + to_string(tensor.dtype()) + to_string(tensor.shape()) + " {";
    const auto values = to_doubles(tensor);
    for (std::size_t i = 0; values && i < values->size() && i < 64; ++i)
      text += (i == 0 ? "" : ", ") + std::to_string((*values)[i]);
    text += "}\n";
  }
  return text;
}

}  // namespace tarmac::test

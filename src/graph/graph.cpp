#include "graph/graph.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace tarmac {

void Graph::add_use(Value* value, Node* node, std::size_t index) {
  if (value != nullptr) value->uses_.push_back({node, index});
}

void Graph::remove_use(Value* value, Node* node, std::size_t index) {
  if (value == nullptr) return;
  // From the back: graphs are taken down in the reverse of the order they were built in.
  const auto it = std::find(value->uses_.rbegin(), value->uses_.rend(), Use{node, index});
  assert(it != value->uses_.rend());
  value->uses_.erase(std::next(it).base());
}

// Here and below a use is added before an input becomes the value: where there is no memory for it, inputs
// and uses still agree, and the graph can be taken down.
void Node::set_input(std::size_t i, Value* value) {
  assert(i < inputs_.size());
  Graph::add_use(value, this, i);
  Graph::remove_use(std::exchange(inputs_[i], value), this, i);
}

void Node::add_input(Value* value) {
  inputs_.push_back(nullptr);
  Graph::add_use(value, this, inputs_.size() - 1);
  inputs_.back() = value;
}

void Node::truncate_inputs(std::size_t count) {
  while (inputs_.size() > count) {
    Graph::remove_use(inputs_.back(), this, inputs_.size() - 1);
    inputs_.pop_back();
  }
}

void Node::for_each_subgraph(const std::function<void(Graph&)>& visit) const {
  for (const auto& [key, attribute] : attributes) {
    if (const auto* one = std::get_if<GraphPtr>(&attribute)) visit(**one);
    if (const auto* many = std::get_if<std::vector<GraphPtr>>(&attribute)) {
      for (const GraphPtr& graph : *many) visit(*graph);
    }
  }
}

Node* Node::next() const {
  const auto after = std::next(position_);
  return after == graph_->nodes_.end() ? nullptr : after->get();
}

const std::string& Node::label() const {
  if (!name.empty()) return name;
  for (const Value* output : outputs_) {
    if (output != nullptr) return output->name();
  }
  return op_type;
}

Graph::Graph(Node* parent, std::shared_ptr<NameTable> names)
    : parent_(parent), names_(names ? std::move(names) : std::make_shared<NameTable>()) {}

Graph::~Graph() {
  // Values of outer graphs live on and must not point at nodes that are gone. In reverse, so that each use is
  // the last.
  while (!nodes_.empty()) {
    nodes_.back()->attributes.clear();
    nodes_.back()->truncate_inputs(0);
    nodes_.pop_back();
  }
}

Value* Graph::find(std::string_view value_name) const {
  const auto it = values_.find(std::string(value_name));
  return it == values_.end() ? nullptr : it->second.get();
}

Value* Graph::find_in_scope(std::string_view value_name) const {
  for (const Graph* graph = this; graph != nullptr;
       graph = graph->parent_ != nullptr ? &graph->parent_->graph() : nullptr) {
    if (Value* value = graph->find(value_name)) return value;
  }
  return nullptr;
}

std::string Graph::fresh_name(const std::string& base) const {
  if (!base.empty() && !names_->contains(base)) return base;
  // Names are never given back, so the search can go on where it last ended.
  for (std::size_t& i = next_suffix_.try_emplace(base, 1).first->second;; ++i) {
    std::string candidate = base + "_" + std::to_string(i);
    if (!names_->contains(candidate)) return candidate;
  }
}

Value& Graph::add_value(const std::string& value_name, Type type) {
  assert(!value_name.empty());
  auto [it, inserted] = values_.try_emplace(value_name, std::make_unique<Value>());
  assert(inserted);
  Value& value = *it->second;
  value.name_ = value_name;
  value.graph_ = this;
  value.type = std::move(type);
  take_name(value_name);
  return value;
}

Value& Graph::add_input(const std::string& value_name, Type type) {
  Value& value = add_value(value_name, std::move(type));
  value.is_input_ = true;
  inputs_.push_back(&value);
  return value;
}

Value& Graph::add_initializer(const std::string& value_name, Tensor tensor) {
  Value& value = add_value(value_name, Type::tensor(tensor.dtype(), tensor.shape()));
  set_initializer(value, std::move(tensor));
  return value;
}

Value& Graph::add_sparse_initializer(const std::string& value_name) {
  Value* present = find(value_name);
  assert(present == nullptr || present->is_input_);
  Value& value = present != nullptr ? *present : add_value(value_name);
  value.sparse_ = true;
  return value;
}

void Graph::add_output(Value& value) {
  assert(value.graph_ == this);
  ++value.output_count_;
  outputs_.push_back(&value);
}

void Graph::set_output(std::size_t i, Value& value) {
  assert(i < outputs_.size() && value.graph_ == this);
  --outputs_[i]->output_count_;
  outputs_[i] = &value;
  ++value.output_count_;
}

void Graph::set_initializer(Value& value, Tensor tensor) {
  assert(value.graph_ == this && value.producer_ == nullptr);
  if (!value.initializer_) initializers_.push_back(&value);
  value.initializer_ = std::move(tensor);
}

void Graph::drop_initializer(Value& value) {
  if (!value.initializer_) return;
  value.initializer_.reset();
  std::erase(initializers_, &value);
}

void Graph::drop_input(Value& value) {
  value.is_input_ = false;
  std::erase(inputs_, &value);
}

Node& Graph::add_node(std::string op_type, std::vector<Value*> inputs, std::vector<Value*> outputs,
                      Node* before) {
  assert(before == nullptr || before->graph_ == this);
  const auto position =
      nodes_.insert(before == nullptr ? nodes_.end() : before->position_, std::make_unique<Node>());
  Node& node = **position;
  node.op_type = std::move(op_type);
  node.graph_ = this;
  node.position_ = position;
  node.inputs_.resize(inputs.size());
  node.outputs_ = std::move(outputs);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    add_use(inputs[i], &node, i);
    node.inputs_[i] = inputs[i];
  }
  for (std::size_t i = 0; i < node.outputs_.size(); ++i) {
    Value* output = node.outputs_[i];
    if (output == nullptr) continue;
    assert(output->graph_ == this && output->producer_ == nullptr && !output->is_input_ &&
           !output->initializer_);
    output->producer_ = &node;
    output->output_index_ = i;
  }
  return node;
}

Value& Graph::add_op(std::string op_type, std::vector<Value*> inputs, const std::string& base_name,
                     Node* before) {
  Value& output = add_value(fresh_name(base_name));
  add_node(std::move(op_type), std::move(inputs), {&output}, before);
  return output;
}

bool Graph::replace_uses(Value& from, Value& to) {
  assert(&from != &to);
  to.uses_.insert(to.uses_.end(), from.uses_.begin(), from.uses_.end());
  for (const Use& use : from.uses_) use.node->inputs_[use.index] = &to;
  from.uses_.clear();
  if (from.output_count_ == 0) return true;
  const bool can_take_over = to.graph_ == this && from.graph_ == this && to.producer_ != nullptr &&
                             !to.is_output() && !from.is_input_ && !from.sparse_;
  if (!can_take_over) return false;
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    if (outputs_[i] == &from) set_output(i, to);
  }
  const std::string taken = from.name_;
  rename(from, fresh_name(taken + "_replaced"));
  rename(to, taken);
  // What a model declares of its output is part of its interface.
  if (from.type.kind != Type::Kind::kNone) to.type = from.type;
  to.doc_string = std::move(from.doc_string);
  to.metadata = std::move(from.metadata);
  return true;
}

void Graph::erase(Node& node) {
  assert(node.graph_ == this);
  node.truncate_inputs(0);
  node.attributes.clear();  // nested graphs let go of the values they read
  for (Value* output : node.outputs_) {
    if (output == nullptr) continue;
    assert(output->unused());
    values_.erase(output->name_);
  }
  nodes_.erase(node.position_);
}

void Graph::erase(Value& value) {
  assert(value.graph_ == this && value.unused() && value.producer_ == nullptr);
  if (value.is_input_) drop_input(value);
  drop_initializer(value);
  values_.erase(value.name_);
}

void Graph::rename(Value& value, const std::string& new_name) {
  assert(value.graph_ == this && !new_name.empty() && !value.sparse_);
  if (value.name_ == new_name) return;
  auto handle = values_.extract(value.name_);
  handle.key() = new_name;
  [[maybe_unused]] const auto result = values_.insert(std::move(handle));
  assert(result.inserted);
  value.name_ = new_name;
  take_name(new_name);
}

namespace {

/// Producers in `graph` that `node`, its nested graphs included, must come after.
void collect_dependencies(const Graph& graph, const Node& node, std::vector<Node*>& dependencies) {
  const auto add = [&](const Value* value) {
    if (value != nullptr && value->producer() != nullptr && &value->graph() == &graph) {
      dependencies.push_back(value->producer());
    }
  };
  for (const Value* input : node.inputs()) add(input);
  node.for_each_subgraph([&](Graph& nested) {
    for (const Value* output : nested.outputs()) add(output);
    for (const auto& inner : nested.nodes()) collect_dependencies(graph, *inner, dependencies);
  });
}

}  // namespace

bool Graph::sort() {
  enum class Mark : std::uint8_t { kOpen, kDone };
  std::unordered_map<const Node*, Mark> marks;
  std::vector<Node*> order;
  order.reserve(nodes_.size());
  // Depth first with an explicit stack: exported graphs are thousands of nodes deep.
  struct Frame {
    Node* node;
    std::vector<Node*> dependencies;
    std::size_t next = 0;
  };
  std::vector<Frame> stack;
  const auto push = [&](Node* node) {
    marks[node] = Mark::kOpen;
    stack.push_back({node, {}, 0});
    collect_dependencies(*this, *node, stack.back().dependencies);
  };
  for (const auto& start : nodes_) {
    if (marks.contains(start.get())) continue;
    push(start.get());
    while (!stack.empty()) {
      Frame& frame = stack.back();
      if (frame.next == frame.dependencies.size()) {
        marks[frame.node] = Mark::kDone;
        order.push_back(frame.node);
        stack.pop_back();
        continue;
      }
      Node* dependency = frame.dependencies[frame.next++];
      const auto mark = marks.find(dependency);
      if (mark == marks.end()) {
        push(dependency);
      } else if (mark->second == Mark::kOpen) {
        return false;
      }
    }
  }
  for (Node* node : order) nodes_.splice(nodes_.end(), nodes_, node->position_);
  return true;
}

const Function* Model::find_function(const Node& call) const {
  for (const Function& function : functions) {
    if (function.name == call.op_type && function.domain == call.domain &&
        function.overload == call.overload) {
      return &function;
    }
  }
  return nullptr;
}

const Tensor* constant_of(const Value* value) {
  if (value == nullptr) return nullptr;
  if (value->initializer() != nullptr) return value->is_input() ? nullptr : value->initializer();
  const Node* producer = value->producer();
  if (producer == nullptr || !producer->is("Constant")) return nullptr;
  return producer->attribute<Tensor>("value");
}

void for_each_node(const Graph& graph, const std::function<void(Node&)>& visit) {
  for (const auto& node : graph.nodes()) {
    visit(*node);
    node->for_each_subgraph([&](Graph& nested) { for_each_node(nested, visit); });
  }
}

std::size_t node_count(const Model& model) {
  std::size_t count = 0;
  const auto visit = [&](Node&) { ++count; };
  for_each_node(*model.graph, visit);
  for (const Function& function : model.functions) for_each_node(*function.body, visit);
  return count;
}

}  // namespace tarmac

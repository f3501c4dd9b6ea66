// The intermediate representation: an ONNX graph in memory with use–def links, subgraphs and local functions.
// ONNX semantics throughout (onnx.proto, IR version 13): values are single-assignment, nodes are kept in an
// order in which every value is produced before it is used, a nested graph may use the values of the graphs
// around it.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "graph/attribute.h"
#include "graph/type.h"

namespace tarmac {

class Node;
class Value;

using Metadata = std::vector<std::pair<std::string, std::string>>;

/// An input slot of a node that reads a value.
struct Use {
  Node* node = nullptr;
  std::size_t index = 0;
  bool operator==(const Use&) const = default;
};

/// A named value: graph input, initializer, or output of one node. Owned by its graph.
class Value {
 public:
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] Graph& graph() const { return *graph_; }
  /// The node that computes it; null for graph inputs and initializers.
  [[nodiscard]] Node* producer() const { return producer_; }
  [[nodiscard]] std::size_t output_index() const { return output_index_; }
  /// Node inputs that read it, those in nested graphs included; graph outputs are not counted here.
  [[nodiscard]] const std::vector<Use>& uses() const { return uses_; }
  [[nodiscard]] bool is_input() const { return is_input_; }
  /// Whether it is among the outputs of its own graph.
  [[nodiscard]] bool is_output() const { return output_count_ > 0; }
  [[nodiscard]] bool unused() const { return uses_.empty() && output_count_ == 0; }

  /// The stored weight, also when the value is an input with a default; null otherwise.
  [[nodiscard]] const Tensor* initializer() const { return initializer_ ? &*initializer_ : nullptr; }
  /// True for a sparse initializer, which Tarmac carries along unread.
  [[nodiscard]] bool is_sparse_initializer() const { return sparse_; }

  Type type;
  std::string doc_string;
  Metadata metadata;

 private:
  friend class Graph;
  friend class Node;
  std::string name_;
  Graph* graph_ = nullptr;
  Node* producer_ = nullptr;
  std::size_t output_index_ = 0;
  std::vector<Use> uses_;
  std::optional<Tensor> initializer_;
  bool is_input_ = false;
  bool sparse_ = false;
  int output_count_ = 0;
};

/// An operator call. Inputs and outputs are null where ONNX leaves an optional one out.
class Node {
 public:
  std::string op_type;
  std::string domain;  ///< "" is the ONNX domain ("ai.onnx" is read as "")
  std::string name;    ///< may be empty
  std::string overload;
  std::string doc_string;
  std::map<std::string, Attribute, std::less<>> attributes;
  Metadata metadata;
  std::string extra;  ///< serialised NodeProto with the fields that have no place here (device placement)

  [[nodiscard]] Graph& graph() const { return *graph_; }
  [[nodiscard]] const std::vector<Value*>& inputs() const { return inputs_; }
  [[nodiscard]] const std::vector<Value*>& outputs() const { return outputs_; }
  /// The i-th input or output; null when absent or beyond the end.
  [[nodiscard]] Value* input(std::size_t i) const { return i < inputs_.size() ? inputs_[i] : nullptr; }
  [[nodiscard]] Value* output(std::size_t i) const { return i < outputs_.size() ? outputs_[i] : nullptr; }

  void set_input(std::size_t i, Value* value);
  void add_input(Value* value);
  /// Drops the inputs from `count` on.
  void truncate_inputs(std::size_t count);

  [[nodiscard]] bool is(std::string_view type, std::string_view in_domain = "") const {
    return op_type == type && domain == in_domain;
  }
  /// The attribute of type T, or null when it is absent or of another type.
  template <typename T>
  [[nodiscard]] const T* attribute(std::string_view key) const {
    const auto it = attributes.find(key);
    return it == attributes.end() ? nullptr : std::get_if<T>(&it->second);
  }
  template <typename T>
  [[nodiscard]] T attribute_or(std::string_view key, T fallback) const {
    const T* value = attribute<T>(key);
    return value != nullptr ? *value : fallback;
  }
  /// Calls `visit` for each graph held by an attribute.
  void for_each_subgraph(const std::function<void(Graph&)>& visit) const;
  /// The node after this one in its graph; null at the end.
  [[nodiscard]] Node* next() const;
  /// The name that reports use: the node's own, else its first output's.
  [[nodiscard]] const std::string& label() const;

 private:
  friend class Graph;
  Graph* graph_ = nullptr;
  std::vector<Value*> inputs_;
  std::vector<Value*> outputs_;
  std::list<std::unique_ptr<Node>>::iterator position_;
};

/// Every value name that was ever used in a model's main graph or function and all graphs nested in it; fresh
/// names avoid them.
using NameTable = std::unordered_set<std::string>;

/// Nodes in execution order, with the values they connect. Owns both.
class Graph {
 public:
  using NodeList = std::list<std::unique_ptr<Node>>;

  explicit Graph(Node* parent = nullptr, std::shared_ptr<NameTable> names = nullptr);
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  std::string name;
  std::string doc_string;
  Metadata metadata;
  std::string
      extra;  ///< serialised GraphProto with the fields that have no place here (sparse initializers, …)

  [[nodiscard]] const NodeList& nodes() const { return nodes_; }
  [[nodiscard]] const std::vector<Value*>& inputs() const { return inputs_; }
  [[nodiscard]] const std::vector<Value*>& outputs() const { return outputs_; }
  [[nodiscard]] const std::vector<Value*>& initializers() const { return initializers_; }
  /// The node whose attribute holds this graph; null for the main graph and function bodies.
  [[nodiscard]] Node* parent() const { return parent_; }
  /// The table to hand to graphs nested in this one.
  [[nodiscard]] const std::shared_ptr<NameTable>& names() const { return names_; }

  /// A value of this graph by name; null when there is none.
  [[nodiscard]] Value* find(std::string_view value_name) const;
  /// As find(), then in the graphs around this one.
  [[nodiscard]] Value* find_in_scope(std::string_view value_name) const;
  /// `base` itself if no value of the model has or had that name, else base_1, base_2, …
  [[nodiscard]] std::string fresh_name(const std::string& base) const;

  /// New values. Names must not be taken in this graph (asserted); use fresh_name().
  Value& add_value(const std::string& value_name, Type type = {});
  Value& add_input(const std::string& value_name, Type type);
  Value& add_initializer(const std::string& value_name, Tensor tensor);
  /// Also for an input that is there already. Its data stays in `extra`, so it cannot be renamed (asserted).
  Value& add_sparse_initializer(const std::string& value_name);
  void add_output(Value& value);
  /// Makes output `i` another value of this graph.
  void set_output(std::size_t i, Value& value);
  /// Gives an existing value of this graph (an input with a default) a stored weight, or replaces it.
  void set_initializer(Value& value, Tensor tensor);
  /// The value stops being an initializer; the value itself stays.
  void drop_initializer(Value& value);
  /// The value stops being a graph input; the value itself stays.
  void drop_input(Value& value);

  /// A new node, placed before `before`, or last. Null outputs stand for left-out ones; the others must have
  /// no producer yet (asserted).
  Node& add_node(std::string op_type, std::vector<Value*> inputs, std::vector<Value*> outputs,
                 Node* before = nullptr);
  /// As add_node() with one new output value named after `base_name`.
  Value& add_op(std::string op_type, std::vector<Value*> inputs, const std::string& base_name,
                Node* before = nullptr);

  /// Redirects every reader of `from`, graph outputs included, to `to`. An output keeps its name: `to` takes
  /// it over. Where that is impossible (`from` is an input; `to` is an input, an initializer, an output
  /// already, or of an outer graph) the graph outputs stay on `from`. Returns whether `from` is unused
  /// afterwards. `to` must come before the readers; where `to` is computed from `from`, give those nodes
  /// their input back with set_input().
  bool replace_uses(Value& from, Value& to);

  /// Removes a node whose outputs are unused (asserted), and the outputs.
  void erase(Node& node);
  /// Removes a value that nothing produces and nothing reads (asserted).
  void erase(Value& value);

  /// `new_name` must be free here and in nested graphs: fresh_name(), or the name of an erased value.
  void rename(Value& value, const std::string& new_name);

  /// Puts the nodes into execution order, keeping the present order where it can. False on a cycle.
  bool sort();

 private:
  friend class Node;
  void take_name(const std::string& value_name) { names_->insert(value_name); }
  static void add_use(Value* value, Node* node, std::size_t index);
  static void remove_use(Value* value, Node* node, std::size_t index);

  Node* parent_;
  std::shared_ptr<NameTable> names_;
  // A null map entry never occurs; names key their values.
  std::unordered_map<std::string, std::unique_ptr<Value>> values_;
  NodeList nodes_;
  std::vector<Value*> inputs_;
  std::vector<Value*> outputs_;
  std::vector<Value*> initializers_;
  mutable std::unordered_map<std::string, std::size_t> next_suffix_;
};

/// A local function (ONNX FunctionProto): called by nodes with its domain, name and overload.
struct Function {
  std::string domain;
  std::string name;
  std::string overload;
  std::string doc_string;
  std::vector<std::string> attributes;                     ///< names without default
  std::map<std::string, Attribute, std::less<>> defaults;  ///< attributes with one
  std::map<std::string, std::int64_t> opsets;
  Metadata metadata;
  std::string extra;
  GraphPtr body;  ///< its inputs and outputs carry no types
};

/// A whole ONNX model.
struct Model {
  std::int64_t ir_version = 0;
  std::map<std::string, std::int64_t> opsets;  ///< domain ("" is ONNX) → version
  std::string producer_name;
  std::string producer_version;
  std::string domain;
  std::int64_t model_version = 0;
  std::string doc_string;
  Metadata metadata;
  std::string
      extra;  ///< serialised ModelProto with the fields that have no place here (training, device sets)
  GraphPtr graph;
  std::vector<Function> functions;

  /// Version of the ONNX operator set; 0 if the model imports none.
  [[nodiscard]] std::int64_t opset() const {
    const auto it = opsets.find("");
    return it == opsets.end() ? 0 : it->second;
  }
  [[nodiscard]] const Function* find_function(const Node& call) const;
};

/// The tensor of an initializer that no input can override, or of a Constant node; null otherwise.
const Tensor* constant_of(const Value* value);

/// Visits the graph's nodes in order, each node's nested graphs after the node itself.
void for_each_node(const Graph& graph, const std::function<void(Node&)>& visit);

/// Node count over the main graph, nested graphs and function bodies.
std::size_t node_count(const Model& model);

}  // namespace tarmac

#include "support/graph_checks.h"

#include <algorithm>
#include <set>

namespace tarmac::test {
namespace {

/// The names and values that are known at a point of the walk, from the outermost graph inwards.
class Checker {
 public:
  void graph(const Graph& graph) {
    scopes_.emplace_back();
    for (const Value* input : graph.inputs()) {
      EXPECT_TRUE(input->is_input()) << input->name();
      EXPECT_EQ(input->producer(), nullptr) << input->name();
      define(graph, *input);
    }
    for (const Value* value : graph.initializers()) {
      EXPECT_NE(value->initializer(), nullptr) << value->name();
      EXPECT_EQ(value->producer(), nullptr) << value->name();
      if (!value->is_input()) define(graph, *value);
    }
    for (const auto& node : graph.nodes()) this->node(graph, *node);
    for (const Value* output : graph.outputs()) {
      ASSERT_EQ(&output->graph(), &graph) << output->name();
      EXPECT_TRUE(output->is_output()) << output->name();
      EXPECT_TRUE(known(*output)) << "graph output '" << output->name() << "' is computed nowhere";
    }
    for (const Value* value : scopes_.back()) check_uses(graph, *value);
    scopes_.pop_back();
  }

 private:
  void node(const Graph& graph, const Node& node) {
    EXPECT_EQ(&node.graph(), &graph) << node.label();
    for (std::size_t i = 0; i < node.inputs().size(); ++i) {
      const Value* input = node.input(i);
      if (input == nullptr) continue;
      EXPECT_TRUE(known(*input) || input->is_sparse_initializer())
          << node.label() << " reads '" << input->name() << "' before it is computed or out of scope";
      const Use use{const_cast<Node*>(&node), i};
      EXPECT_EQ(std::count(input->uses().begin(), input->uses().end(), use), 1)
          << node.label() << " input " << i;
      ++reads_[input];
    }
    node.for_each_subgraph([&](Graph& nested) {
      EXPECT_EQ(nested.parent(), &node) << node.label();
      EXPECT_EQ(nested.names(), graph.names()) << node.label();
      this->graph(nested);
    });
    for (std::size_t i = 0; i < node.outputs().size(); ++i) {
      const Value* output = node.output(i);
      if (output == nullptr) continue;
      EXPECT_EQ(output->producer(), &node) << output->name();
      EXPECT_EQ(output->output_index(), i) << output->name();
      EXPECT_FALSE(output->is_input()) << output->name();
      EXPECT_EQ(output->initializer(), nullptr) << output->name();
      define(graph, *output);
    }
  }

  void define(const Graph& graph, const Value& value) {
    EXPECT_FALSE(value.name().empty());
    EXPECT_EQ(&value.graph(), &graph) << value.name();
    EXPECT_EQ(graph.find(value.name()), &value) << value.name();
    EXPECT_TRUE(graph.names()->contains(value.name())) << value.name();
    EXPECT_TRUE(visible_.insert(value.name()).second) << "'" << value.name() << "' is defined twice";
    scopes_.back().push_back(&value);
    known_.insert(&value);
  }

  bool known(const Value& value) const { return known_.contains(&value); }

  void check_uses(const Graph& graph, const Value& value) {
    EXPECT_EQ(value.uses().size(), reads_[&value]) << value.name();
    const auto outputs = std::count(graph.outputs().begin(), graph.outputs().end(), &value);
    EXPECT_EQ(value.is_output(), outputs > 0) << value.name();
    EXPECT_EQ(value.unused(), outputs == 0 && value.uses().empty()) << value.name();
    known_.erase(&value);
    visible_.erase(value.name());
  }

  std::vector<std::vector<const Value*>> scopes_;
  std::set<std::string> visible_;
  std::set<const Value*> known_;
  std::map<const Value*, std::size_t> reads_;
};

}  // namespace

Model model(const std::string& text, std::source_location where) {
  Model result = expect_ok(model_from_text(text), where);
  expect_consistent(result);
  return result;
}

void expect_consistent(const Graph& graph) { Checker().graph(graph); }

void expect_consistent(const Model& model) {
  expect_consistent(*model.graph);
  for (const Function& function : model.functions) expect_consistent(*function.body);
}

void expect_same_model(const Model& found, const Model& expected, bool names, std::source_location where) {
  const std::string difference = structural_difference(found, expected, {.names = names});
  if (difference.empty()) return;
  ADD_FAILURE_AT(where.file_name(), static_cast<int>(where.line())) << difference << "\nfound:\n"
                                                                    << model_to_text(found) << "expected:\n"
                                                                    << model_to_text(expected);
}

}  // namespace tarmac::test

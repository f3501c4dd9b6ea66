#include <algorithm>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "graph/graph.h"
#include "graph/model_io.h"

namespace tarmac {
namespace {

Error broken(const std::string& what, const std::string& name) {
  return make_error(ErrorCode::kInternal, "the graph's links are broken: " + what, name);
}

/// Walks a graph in execution order and keeps what is known at each point.
class LinkCheck {
 public:
  Status graph(const Graph& graph) {
    std::vector<const Value*> values;
    for (const Value* input : graph.inputs()) {
      if (!input->is_input() || input->producer() != nullptr)
        return broken("an input is not marked so", input->name());
      TARMAC_CHECK_OK(define(graph, *input, values));
    }
    for (const Value* value : graph.initializers()) {
      if (value->initializer() == nullptr || value->producer() != nullptr) {
        return broken("an initializer has no values or a producer", value->name());
      }
      if (!value->is_input()) TARMAC_CHECK_OK(define(graph, *value, values));
    }
    for (const auto& item : graph.nodes()) TARMAC_CHECK_OK(node(graph, *item, values));
    for (const Value* output : graph.outputs()) {
      if (&output->graph() != &graph || !output->is_output() || !known(*output)) {
        return broken("a graph output is computed nowhere", output->name());
      }
    }
    const std::unordered_set<const Value*> outputs(graph.outputs().begin(), graph.outputs().end());
    for (const Value* value : values) TARMAC_CHECK_OK(close(*value, outputs.contains(value)));
    return {};
  }

 private:
  Status node(const Graph& graph, const Node& node, std::vector<const Value*>& values) {
    if (&node.graph() != &graph) return broken("a node belongs to another graph", node.label());
    for (std::size_t i = 0; i < node.inputs().size(); ++i) {
      const Value* input = node.input(i);
      if (input == nullptr) continue;
      if (!known(*input)) {
        return broken("'" + node.label() + "' reads a value before it is computed or out of scope",
                      input->name());
      }
      reads_[input].push_back({const_cast<Node*>(&node), i});
    }
    Status status;
    node.for_each_subgraph([&](Graph& nested) {
      if (!status) return;
      if (nested.parent() != &node || nested.names() != graph.names()) {
        status = broken("a nested graph has another parent", node.label());
      } else {
        status = this->graph(nested);
      }
    });
    TARMAC_CHECK_OK(std::move(status));
    for (std::size_t i = 0; i < node.outputs().size(); ++i) {
      const Value* output = node.output(i);
      if (output == nullptr) continue;
      if (output->producer() != &node || output->output_index() != i || output->is_input() ||
          output->initializer() != nullptr) {
        return broken("output " + std::to_string(i) + " of '" + node.label() + "' has another producer",
                      output->name());
      }
      TARMAC_CHECK_OK(define(graph, *output, values));
    }
    return {};
  }

  Status define(const Graph& graph, const Value& value, std::vector<const Value*>& values) {
    if (&value.graph() != &graph || graph.find(value.name()) != &value ||
        !graph.names()->contains(value.name())) {
      return broken("a value is not found by its name", value.name());
    }
    if (!names_.insert(value.name()).second) return broken("a name is defined twice", value.name());
    values.push_back(&value);
    known_.insert(&value);
    return {};
  }

  /// Sparse initializers are in no list of the graph.
  bool known(const Value& value) const { return known_.contains(&value) || value.is_sparse_initializer(); }

  Status close(const Value& value, bool is_output) {
    // The nodes that were met are compared with those noted, which are not looked into: they may be gone.
    std::vector<Use> noted = value.uses();
    std::vector<Use>& met = reads_[&value];
    for (auto* uses : {&noted, &met}) {
      std::sort(uses->begin(), uses->end(), [](const Use& a, const Use& b) {
        return std::tie(a.node, a.index) < std::tie(b.node, b.index);
      });
    }
    if (noted != met) {
      return broken(std::to_string(noted.size()) + " uses are noted and " + std::to_string(met.size()) +
                        " node inputs read it, or they differ",
                    value.name());
    }
    if (value.is_output() != is_output)
      return broken("a value is wrong about being a graph output", value.name());
    reads_.erase(&value);
    known_.erase(&value);
    names_.erase(value.name());
    return {};
  }

  std::unordered_set<std::string> names_;  ///< visible at this point
  std::unordered_set<const Value*> known_;
  std::unordered_map<const Value*, std::vector<Use>> reads_;
};

}  // namespace

Status verify_links(const Graph& graph) { return LinkCheck().graph(graph); }

}  // namespace tarmac

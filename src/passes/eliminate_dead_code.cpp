#include <set>

#include "passes/passes.h"

namespace tarmac {
namespace {

bool unused(const Node& node) {
  for (const Value* output : node.outputs()) {
    if (output != nullptr && !output->unused()) return false;
  }
  return true;
}

void clean(Graph& graph, std::int64_t ir_version, PassContext& context) {
  // Backwards, so that one sweep takes whole chains; a node goes before the graphs inside it are looked at.
  std::vector<Node*> nodes;
  for (const auto& node : graph.nodes()) nodes.push_back(node.get());
  for (auto it = nodes.rbegin(); it != nodes.rend(); ++it) {
    if (unused(**it)) {
      context.changed(**it, "removed " + (*it)->op_type + ": nothing reads its result");
      graph.erase(**it);
    } else {
      (*it)->for_each_subgraph([&](Graph& nested) { clean(nested, ir_version, context); });
    }
  }
  const std::vector<Value*> initializers = graph.initializers();
  for (Value* value : initializers) {
    if (!value->unused()) continue;
    // Without its default an input would have to be given. Before version 4 every weight was an input as
    // well.
    if (value->is_input() && ir_version >= 4) continue;
    context.changes.push_back({context.pass, value->name(), "removed an unused initializer"});
    graph.erase(*value);
  }
}

void collect_calls(const Graph& graph, std::set<std::string>& calls) {
  for_each_node(graph, [&](const Node& node) {
    calls.insert(node.domain + "\n" + node.op_type + "\n" + node.overload);
  });
}

void clean_functions(Model& model, PassContext& context) {
  for (bool removed = true; removed;) {
    std::set<std::string> calls;
    collect_calls(*model.graph, calls);
    for (const Function& function : model.functions) collect_calls(*function.body, calls);
    removed = std::erase_if(model.functions, [&](const Function& function) {
                if (calls.contains(function.domain + "\n" + function.name + "\n" + function.overload))
                  return false;
                context.changes.push_back(
                    {context.pass, function.name, "removed a local function that nothing calls"});
                return true;
              }) > 0;
  }
}

}  // namespace

Status eliminate_dead_code(Model& model, PassContext& context) {
  clean(*model.graph, model.ir_version, context);
  clean_functions(model, context);
  return {};
}

}  // namespace tarmac

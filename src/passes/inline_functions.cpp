#include <deque>
#include <set>

#include "passes/inline_call.h"
#include "passes/passes.h"

namespace tarmac {
namespace {

/// Imports what a function's body needs. Its ONNX set may be another version than the model's: onnx's checker
/// has seen to it that the body's operators are the same in both.
Status merge_opsets(Model& model, const Function& function, const Node& call) {
  for (const auto& [domain, version] : function.opsets) {
    const auto [present, added] = model.opsets.emplace(domain, version);
    if (added || present->second == version || domain.empty()) continue;
    return make_error(ErrorCode::kUnsupported,
                      "the local function " + function.name + " uses version " + std::to_string(version) +
                          " of the operator set '" + domain + "', the model version " +
                          std::to_string(present->second),
                      call.label());
  }
  return {};
}

/// Whether the targets run the call as an operator of their own.
bool has_kernel(const Model& model, const OperatorSupport& support, const Node& call) {
  const auto version = model.opsets.find(call.domain);
  return support.accepts(call.domain, call.op_type, version == model.opsets.end() ? 1 : version->second);
}

class Inliner {
 public:
  Inliner(Model& model, PassContext& context) : model_(model), context_(context) {}

  Status run() {
    for (const auto& node : model_.graph->nodes()) collect(*node, 0);
    bool all = true;
    while (!calls_.empty()) {
      const Call call = calls_.front();
      calls_.pop_front();
      if (context_.support != nullptr && has_kernel(model_, *context_.support, *call.node)) {
        all = false;
        continue;
      }
      TARMAC_CHECK_OK(inline_one(call));
    }
    if (all) model_.functions.clear();
    return {};
  }

 private:
  struct Call {
    Node* node;
    std::size_t depth;
  };

  void collect(Node& node, std::size_t depth) {
    const auto add = [&](Node& candidate) {
      if (model_.find_function(candidate) != nullptr) calls_.push_back({&candidate, depth});
    };
    add(node);
    node.for_each_subgraph([&](const Graph& nested) { for_each_node(nested, add); });
  }

  Status inline_one(const Call& call) {
    const Function& function = *model_.find_function(*call.node);
    if (call.depth > model_.functions.size()) {
      return make_error(ErrorCode::kInvalidModel, "the local function " + function.name + " calls itself",
                        call.node->label());
    }
    TARMAC_CHECK_OK(merge_opsets(model_, function, *call.node));
    context_.changed(*call.node, "inlined the local function " + function.name);
    const std::set<Value*> inputs(call.node->inputs().begin(), call.node->inputs().end());
    TARMAC_TRY(const auto nodes, inline_call(*call.node, function));
    // A body need not read all that an operator takes.
    for (Value* input : inputs) {
      if (input != nullptr && input->unused() && input->initializer() != nullptr && !input->is_input())
        input->graph().erase(*input);
    }
    for (Node* node : nodes) collect(*node, call.depth + 1);
    return {};
  }

  Model& model_;
  PassContext& context_;
  std::deque<Call> calls_;
};

}  // namespace

Status inline_functions(Model& model, PassContext& context) {
  return model.functions.empty() ? Status{} : Inliner(model, context).run();
}

}  // namespace tarmac

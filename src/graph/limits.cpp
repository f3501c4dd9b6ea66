#include "graph/limits.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace tarmac {
namespace {

/// Sizes of a graph once every call of a local function is replaced by the function's body.
struct Extent {
  std::uint64_t nodes = 0;
  int depth = 0;  ///< of graphs nested in it
};

class Expansion {
 public:
  explicit Expansion(const Model& model) {
    for (const Function& function : model.functions) {
      functions_.emplace(Key(function.domain, function.name, function.overload), Entry{&function, {}});
    }
  }

  Result<Extent> graph(const Graph& graph) {
    Extent total;
    for (const auto& node : graph.nodes()) {
      ++total.nodes;
      Status status;
      node->for_each_subgraph([&](Graph& nested) {
        if (status) status = add(this->graph(nested), 1, total);
      });
      if (status) status = call(*node, total);
      if (!status) return std::move(status).error();
      if (total.nodes > kMaxExpandedNodes) {
        return make_error(
            ErrorCode::kUnsupported,
            "local functions expand to more than " + std::to_string(kMaxExpandedNodes) + " nodes",
            node->label());
      }
    }
    return total;
  }

 private:
  using Key = std::tuple<std::string, std::string, std::string>;
  struct Entry {
    const Function* function;
    std::optional<Extent> extent;
    bool open = false;
  };

  static Status add(const Result<Extent>& part, int levels, Extent& total) {
    if (!part) return part.error();
    total.nodes += part->nodes;
    total.depth = std::max(total.depth, part->depth + levels);
    return {};
  }

  Status call(const Node& node, Extent& total) {
    const auto it = functions_.find(Key(node.domain, node.op_type, node.overload));
    if (it == functions_.end()) return {};
    Entry& entry = it->second;
    if (entry.open) {
      return make_error(ErrorCode::kInvalidModel, "local function '" + node.op_type + "' calls itself",
                        node.label());
    }
    if (!entry.extent) {
      entry.open = true;
      TARMAC_TRY(entry.extent, graph(*entry.function->body));
      entry.open = false;
    }
    return add(*entry.extent, 0, total);
  }

  std::map<Key, Entry> functions_;
};

}  // namespace

Status check_limits(const Model& model) {
  Expansion expansion(model);
  const auto check = [&](const Graph& graph, const std::string& where) -> Status {
    TARMAC_TRY(const Extent extent, expansion.graph(graph));
    if (extent.depth <= kMaxGraphNesting) return {};
    return make_error(
        ErrorCode::kUnsupported,
        where + " nests graphs " + std::to_string(extent.depth) + " deep, at most " +
            std::to_string(kMaxGraphNesting) +
            " are allowed: engines take exponential time for deeper ones. Flatten the If and Loop nodes");
  };
  TARMAC_CHECK_OK(check(*model.graph, "the model"));
  for (const Function& function : model.functions) {
    TARMAC_CHECK_OK(check(*function.body, "function '" + function.name + "'"));
  }
  return {};
}

}  // namespace tarmac

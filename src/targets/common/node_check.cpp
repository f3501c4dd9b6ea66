#include "targets/common/node_check.h"

#include <algorithm>

#include "graph/clone.h"
#include "graph/model_io.h"
#include "passes/infer_shapes.h"
#include "targets/common/driving_operator.h"

namespace tarmac {
namespace {

constexpr const char* kRewrite =
    "Write it with operators that the engine has, or choose another target (tarmac check --target shows "
    "which)";

/// Whether the node can stand alone: the type of all that it reads is known, and only tensors go in and out.
bool can_stand_alone(const Node& node) {
  for (const Value* input : node.inputs()) {
    if (input != nullptr && constant_of(input) == nullptr && !input->type.is_tensor()) return false;
  }
  return std::all_of(node.outputs().begin(), node.outputs().end(), [](const Value* output) {
    return output == nullptr || output->type.is_tensor() || output->type.kind == Type::Kind::kNone;
  });
}

class Checker {
 public:
  Checker(const Model& model, const NodeCheck& check, ProbeCache& cache, Progress& progress)
      : model_(model), check_(check), cache_(cache), progress_(progress) {}

  Result<std::vector<NodeVerdict>> run() {
    const Status whole = check_.compile ? check_.compile(model_) : Status();
    progress_.start("check nodes", node_count(model_));
    TARMAC_CHECK_OK(visit(*model_.graph, whole, model_.opsets, true));
    // Bodies of functions have no types of their own: they are judged with their calls.
    for (const Function& function : model_.functions) {
      if (!is_driving_body(function)) TARMAC_CHECK_OK(visit(*function.body, {}, function.opsets, false));
    }
    progress_.finish();
    if (!whole && refused_ == 0) blame(whole.error());
    return std::move(verdicts_);
  }

 private:
  /// Nodes in order, each one's nested graphs after it; an inner refusal refuses the node around it.
  Status visit(const Graph& graph, const Status& whole, const std::map<std::string, std::int64_t>& opsets,
               bool typed) {
    for (const auto& node : graph.nodes()) {
      if (progress_.cancelled()) return make_error(ErrorCode::kCancelled, "the check was interrupted");
      const std::size_t place = verdicts_.size();
      verdicts_.emplace_back();
      Status inner;
      node->for_each_subgraph([&](const Graph& nested) {
        if (inner) inner = visit(nested, whole, opsets, typed);
      });
      TARMAC_CHECK_OK(inner);
      progress_.advance();
      verdicts_[place] =
          judge({*node, opset_of(opsets, node->domain)}, whole, typed, first_refused(place + 1));
      refused_ += verdicts_[place].verdict == Verdict::kRefused ? 1 : 0;
    }
    return {};
  }

  [[nodiscard]] const NodeVerdict* first_refused(std::size_t begin) const {
    const auto refused = [](const NodeVerdict& verdict) { return verdict.verdict == Verdict::kRefused; };
    const auto found =
        std::find_if(verdicts_.begin() + static_cast<std::ptrdiff_t>(begin), verdicts_.end(), refused);
    return found == verdicts_.end() ? nullptr : &*found;
  }

  NodeVerdict judge(const IssueQuery& query, const Status& whole, bool typed,
                    const NodeVerdict* refused_inside) {
    const Node& node = query.node;
    NodeVerdict verdict{node.label(), node.op_type, node.domain, Verdict::kSupported, {}, {}};
    if (refused_inside != nullptr) {
      refuse(verdict, "its nested graph holds the refused node '" + refused_inside->node + "'",
             refused_inside->remedy);
      return verdict;
    }
    if (const KnownIssue* issue = find_issue(check_.issues, query)) {
      refuse(verdict, std::string("computed wrongly: ") + issue->reason, issue->remedy);
      return verdict;
    }
    if (check_.refuse) {
      if (auto refusal = check_.refuse(model_, query)) {
        refuse(verdict, std::move(refusal->reason), std::move(refusal->remedy));
        return verdict;
      }
    }
    if (!typed || !can_stand_alone(node)) return verdict;
    if (whole) {
      if (!check_.compile_preferred) return verdict;
      if (const Status alone = probe(node, "first ", check_.compile_preferred); !alone) {
        verdict.verdict = Verdict::kFallback;
        verdict.reason = alone.error().message;
        verdict.remedy = "Allow fallback, or choose a provider that has the operator";
      }
      return verdict;
    }
    const Status alone = probe(node, "", check_.compile);
    if (alone) return verdict;
    const bool is_call = model_.find_function(node) != nullptr;
    refuse(verdict, alone.error().message,
           is_call ? "Inline local functions first (tarmac optimize does)" : kRewrite);
    return verdict;
  }

  Status probe(const Node& node, const char* kind, const std::function<Status(const Model&)>& compile) {
    std::vector<const Value*> outputs;
    for (const Value* output : node.outputs()) {
      if (output != nullptr) outputs.push_back(output);
    }
    Model single = extract_nodes(model_, {&node}, outputs);
    TARMAC_TRY(const std::string key, model_digest(anonymous(single)));
    return cache_.probe(kind + check_.configuration + " " + key, [&] { return compile(single); });
  }

  /// Equal nodes of different name give equal models.
  static Model anonymous(const Model& single) {
    Model copy = clone_model(single);
    for (const auto& node : copy.graph->nodes()) {
      node->name.clear();
      node->doc_string.clear();
      node->metadata.clear();
    }
    int count = 0;
    const auto rename = [&](Value* value) {
      copy.graph->rename(*value, copy.graph->fresh_name("tarmac_v" + std::to_string(count++)));
    };
    for (Value* value : copy.graph->inputs()) rename(value);
    for (Value* value : copy.graph->initializers()) {
      if (!value->is_input()) rename(value);
    }
    for (Value* value : copy.graph->outputs()) rename(value);
    return copy;
  }

  void refuse(NodeVerdict& verdict, std::string reason, std::string remedy) {
    verdict.verdict = Verdict::kRefused;
    verdict.reason = std::move(reason);
    verdict.remedy = std::move(remedy);
  }

  /// The whole is refused although no part is: the node that the engine names, else an entry for the model.
  void blame(const Error& error) {
    for (NodeVerdict& verdict : verdicts_) {
      if (verdict.node == error.node && !error.node.empty()) {
        refuse(verdict, error.message, kRewrite);
        return;
      }
    }
    verdicts_.push_back({"", "", "", Verdict::kRefused, error.message, kRewrite});
  }

  const Model& model_;
  const NodeCheck& check_;
  ProbeCache& cache_;
  Progress& progress_;
  std::vector<NodeVerdict> verdicts_;
  std::size_t refused_ = 0;
};

}  // namespace

Status ProbeCache::probe(const std::string& key, const std::function<Status()>& compile) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = outcomes_.find(key); found != outcomes_.end()) return found->second;
  }
  Status outcome = compile();
  const std::lock_guard lock(mutex_);
  return outcomes_.emplace(key, std::move(outcome)).first->second;
}

Result<std::vector<NodeVerdict>> check_nodes(const Model& model, const NodeCheck& check, ProbeCache& cache,
                                             Progress& progress) {
  Model typed = clone_model(model);
  if (!infer_shapes(typed)) typed = clone_model(model);  // a contradiction in types is the engine's to report
  return Checker(typed, check, cache, progress).run();
}

}  // namespace tarmac

// check() for every engine: the engine itself is asked, for the whole model first and, where that fails, node
// by node; or the tables of an engine that is not here.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>

#include "targets/common/known_issues.h"
#include "targets/target.h"

namespace tarmac {

/// Why an engine does not take a node.
struct Refusal {
  std::string reason;
  std::string remedy;
};

/// What one target brings to the check.
struct NodeCheck {
  std::span<const KnownIssue> issues;
  /// By the target's tables, for nodes whose nested graphs are taken; `model` has its types inferred. May be
  /// empty.
  std::function<std::optional<Refusal>(const Model& model, const IssueQuery& node)> refuse;
  /// Compiles with the caller's options, known issues aside; empty where the engine is not asked.
  std::function<Status(const Model&)> compile;
  /// Compiles for the first provider or device alone; empty when there is only one.
  std::function<Status(const Model&)> compile_preferred;
  /// What `compile` depends on besides the model, e.g. the providers.
  std::string configuration;
};

/// Outcomes of compiling single nodes, by what they consist of: operator, attributes, types, constants.
class ProbeCache {
 public:
  /// The remembered outcome or that of `compile`, which may be called by several threads at once.
  Status probe(const std::string& key, const std::function<Status()>& compile);

 private:
  std::mutex mutex_;
  std::map<std::string, Status> outcomes_;
};

/// A verdict for every node. Where the engine refuses the whole model but every node alone, one more entry
/// without a node name carries the engine's reason. Errors: kCancelled.
Result<std::vector<NodeVerdict>> check_nodes(const Model& model, const NodeCheck& check, ProbeCache& cache,
                                             Progress& progress);

}  // namespace tarmac

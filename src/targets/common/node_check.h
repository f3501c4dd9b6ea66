// check() for every engine: the engine itself is asked, for the whole model first and, where that fails, node
// by node.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>

#include "targets/common/known_issues.h"
#include "targets/target.h"

namespace tarmac {

/// What one target brings to the check.
struct NodeCheck {
  std::span<const KnownIssue> issues;
  /// Compiles with the caller's options, known issues aside.
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

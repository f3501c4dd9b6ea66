// A pass rewrites a model in place, keeps its meaning, and says what it did.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/progress.h"
#include "graph/graph.h"

namespace tarmac {

/// Runs a model that needs no inputs; folding constants uses it. An engine stands behind it
/// (targets/evaluator.h).
class ConstantEvaluator {
 public:
  virtual ~ConstantEvaluator() = default;
  /// The outputs of `model`, in order.
  virtual Result<std::vector<Tensor>> evaluate(const Model& model) = 0;
};

/// Two runs of such a node differ, so it is neither folded nor merged. Dropout counts: it may train.
bool draws_random_numbers(const Node& node);

/// One rewrite, for reports: nothing is changed silently.
struct Change {
  std::string pass;
  std::string node;  ///< Node::label() of the node that was rewritten or removed
  std::string what;  ///< e.g. "folded BatchNormalization 'bn1' into its weights"
};

struct PassContext {
  ConstantEvaluator* evaluator = nullptr;  ///< null: nothing is folded
  /// A folded tensor may be larger than the constants it comes from by at most this much.
  std::uint64_t max_folded_growth_bytes = 1U << 20U;
  std::vector<Change> changes;
  std::vector<Change> declined;  ///< what a pass would have changed but could not, with the reason
  std::string pass;              ///< name of the running pass, set by the pass manager

  void changed(const Node& node, std::string what) {
    changes.push_back({pass, node.label(), std::move(what)});
  }
};

struct Pass {
  const char* name;
  const char* summary;
  Status (*apply)(Model& model, PassContext& context);
};

/// Every pass, in the order in which `tarmac optimize` runs them.
const std::vector<Pass>& all_passes();

}  // namespace tarmac

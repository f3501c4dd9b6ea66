// A pass rewrites a model in place, keeps its meaning, and says what it did.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
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

/// What the engines run that the model is meant for; passes that can choose between forms ask it. Implemented
/// to the right of the passes.
class OperatorSupport {
 public:
  virtual ~OperatorSupport() = default;
  /// Whether every one of them runs the operator as `opset_version` of its domain defines it.
  [[nodiscard]] virtual bool accepts(std::string_view domain, std::string_view op_type,
                                     std::int64_t opset_version) const = 0;
  /// Whether they run a model that was moved to another version of the ONNX set: asked of the nodes whose
  /// definition changed. kUnsupported with the first node that one of them refuses, and why.
  [[nodiscard]] virtual Status accepts_changed(const Model& /*model*/, std::int64_t /*old_opset*/) const {
    return {};
  }
};

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
  /// Null: standard operators of the model's own opset are used, nothing newer and nothing of a vendor.
  const OperatorSupport* support = nullptr;
  /// Override what attention fusion detects: number of heads, width of the hidden state.
  std::optional<std::int64_t> heads;
  std::optional<std::int64_t> hidden_size;
  /// Passes must not use what came after this opset, nor raise the model above it. 0: no limit.
  std::int64_t max_opset = 0;
  /// The highest opset a pass of this round could have used; upgrade_opset acts on it. 0: none.
  std::int64_t wanted_opset = 0;
  std::vector<Change> changes;
  std::vector<Change> declined;  ///< what a pass would have changed but could not, with the reason
  std::string pass;              ///< name of the running pass, set by the pass manager

  void changed(const Node& node, std::string what) {
    changes.push_back({pass, node.label(), std::move(what)});
  }
  void decline(const Node& node, std::string why) {
    declined.push_back({pass, node.label(), std::move(why)});
  }
};

/// Whether a pass may put a standard operator into the model that came with opset `since`. Where the model is
/// older but the targets run the operator, the answer is no for now: wanted_opset is raised, and once the
/// model is upgraded the pass meets the same nodes again.
bool may_emit(const Model& model, PassContext& context, std::string_view op_type, std::int64_t since);
/// The same for an operator of a vendor's domain: only where the targets accept it. Imports the domain.
bool may_emit_vendor(Model& model, PassContext& context, std::string_view domain, std::string_view op_type);

struct Pass {
  const char* name;
  const char* summary;
  Status (*apply)(Model& model, PassContext& context);
};

/// Every pass, in the order in which `tarmac optimize` runs them.
const std::vector<Pass>& all_passes();

}  // namespace tarmac

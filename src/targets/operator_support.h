// What targets run: the engines are asked, with a small model for each operator.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "passes/pass.h"
#include "targets/target.h"

namespace tarmac {

/// The operators that each of some targets runs. Answers are remembered for the life of the process; the
/// first question about an operator gives the engine a model of one node (milliseconds). Thread-safe.
class TargetSupport final : public OperatorSupport {
 public:
  /// `targets` must outlive it; with none, nothing is accepted.
  explicit TargetSupport(std::vector<Target*> targets) : targets_(std::move(targets)) {}

  /// Of a vendor's domain, only where every target is that vendor's. False also for operators that a target
  /// runs slower than what they would replace (slow_operators()), and for those nobody has written a probe
  /// for (operator_probes.cpp) and that ONNX's schema does not suffice to make one.
  [[nodiscard]] bool accepts(std::string_view domain, std::string_view op_type,
                             std::int64_t opset_version) const override;
  [[nodiscard]] Status accepts_changed(const Model& model, std::int64_t old_opset) const override;

 private:
  std::vector<Target*> targets_;
};

/// An operator that a target runs, but slower than the operators that it stands for.
struct SlowOperator {
  const char* domain;
  const char* op_type;
  const char* target;
  const char* reason;  ///< what was measured
};
const std::vector<SlowOperator>& slow_operators();

/// Every target of this machine whose engine is built in. Its plugins are not loaded for that.
std::vector<Target*> available_targets();

}  // namespace tarmac

// Folding constants by means of a real engine.
#pragma once

#include "passes/pass.h"
#include "targets/target.h"

namespace tarmac {

/// A ConstantEvaluator that compiles each model for `target` with the engine's own rewriting off, and runs it
/// once. The target must outlive it.
class TargetEvaluator final : public ConstantEvaluator {
 public:
  explicit TargetEvaluator(Target& target) : target_(target) {}
  Result<std::vector<Tensor>> evaluate(const Model& model) override;

 private:
  Target& target_;
};

}  // namespace tarmac

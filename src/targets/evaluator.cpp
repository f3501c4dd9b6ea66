#include "targets/evaluator.h"

namespace tarmac {

Result<std::vector<Tensor>> TargetEvaluator::evaluate(const Model& model) {
  CompileOptions options;
  options.cores = 1;
  options.engine_optimizations = false;
  TARMAC_TRY(const auto executable, target_.compile(model, options, no_progress()));
  TARMAC_TRY(const auto context, executable->create_context());
  TARMAC_CHECK_OK(context->run());
  std::vector<Tensor> results;
  for (const TensorInfo& output : executable->outputs()) {
    TARMAC_TRY(const Tensor tensor, context->output(output.name));
    TARMAC_TRY(results.emplace_back(), tensor.clone());
  }
  return results;
}

}  // namespace tarmac

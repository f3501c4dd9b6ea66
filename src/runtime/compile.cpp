#include "runtime/compile.h"

#include "passes/passes.h"
#include "targets/operator_support.h"

namespace tarmac {

Result<std::unique_ptr<Executable>> compile_model(Target& target, Model& model, const CompileOptions& options,
                                                  Progress& progress) {
  TARMAC_CHECK_OK(target.available());
  if (!model.functions.empty()) {
    // What the target has a kernel for stays.
    const TargetSupport support({&target});
    PassContext context;
    context.support = &support;
    TARMAC_CHECK_OK(inline_functions(model, context));
  }
  return target.compile(model, options, progress);
}

}  // namespace tarmac

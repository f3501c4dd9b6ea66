#include "verify/reference_engine.h"

#include "graph/model_io.h"
#include "runtime/compile.h"

namespace tarmac {

Result<Target*> reference_target() {
  TARMAC_TRY(Target* const preferred, find_target("onnxruntime"));
  if (preferred->available()) return preferred;
  for (Target* target : all_targets()) {
    if (target->available()) return target;
  }
  return make_error(ErrorCode::kUnavailable,
                    "no engine is on this machine; run ./dev doctor to see what is missing");
}

Result<std::unique_ptr<Executable>> compile_reference(const Model& model, Progress& progress, int cores) {
  TARMAC_TRY(Target* const target, reference_target());
  Model copy = clone_model(model);
  CompileOptions options;
  options.cores = cores;
  options.engine_optimizations = false;
  return compile_model(*target, copy, options, progress);
}

}  // namespace tarmac

// The engine whose results others are measured against.
#pragma once

#include <memory>

#include "base/progress.h"
#include "targets/target.h"

namespace tarmac {

/// ONNX Runtime, else the first target there is. Errors: kUnavailable.
Result<Target*> reference_target();

/// Compiles for reference_target() without the engine's own rewriting. Takes a copy of the model. `cores` as
/// in CompileOptions.
Result<std::unique_ptr<Executable>> compile_reference(const Model& model, Progress& progress, int cores = 0);

}  // namespace tarmac

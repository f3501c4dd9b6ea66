// From a model in memory to something that runs.
#pragma once

#include <memory>

#include "base/progress.h"
#include "graph/graph.h"
#include "targets/target.h"

namespace tarmac {

/// Compiles for a target what its engine takes as it is: local functions are inlined first, nothing else is
/// changed. Errors: kUnavailable (with the library that is missing), and Target::compile()'s.
Result<std::unique_ptr<Executable>> compile_model(Target& target, Model& model, const CompileOptions& options,
                                                  Progress& progress);

}  // namespace tarmac

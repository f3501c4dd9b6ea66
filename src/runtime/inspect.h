// Figures of a model in memory.
#pragma once

#include "graph/graph.h"
#include "tarmac/model.h"

namespace tarmac {

/// As inspect_model(path); file_bytes stays 0.
Result<ModelInfo> inspect_model(const Model& model, const InspectOptions& options = {});

}  // namespace tarmac

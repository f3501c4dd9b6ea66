// The optimised variant beside the original, before anything is built on it.
#pragma once

#include "contract/dataset.h"
#include "passes/pass_manager.h"
#include "report/report.h"

namespace tarmac {

/// Compares on the contract's samples (`data`; null: it has none) and at every corner of its profiles, and
/// records what was compared. kAcceptance, naming the first pass that makes it differ.
Status prove_optimized(const Contract& contract, const Dataset* data, const Model& original,
                       const Model& optimized, const OptimizeOptions& options, report::DeployReport& report,
                       Progress& progress);

}  // namespace tarmac

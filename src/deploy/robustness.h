// What is deployed, under the faults that the contract names.
#pragma once

#include "contract/dataset.h"
#include "deploy/cells.h"

namespace tarmac {

/// Adds a row to report.robustness for each fault and each of `chosen`: the metric on the evaluation data
/// under that fault, beside what it is without. `cells` has the original, which agreement is with; that one
/// sees the data as they are. Errors: evaluate()'s.
Status try_faults(const Contract& contract, const Dataset& data, const std::vector<Cell>& cells,
                  const std::vector<const Cell*>& chosen, report::DeployReport& report, Progress& progress);

}  // namespace tarmac

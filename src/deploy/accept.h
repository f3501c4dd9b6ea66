// Which variant each target gets, and whether the contract's acceptance holds.
#pragma once

#include "deploy/cells.h"

namespace tarmac {

/// The cell to deploy on each target, in the contract's order. Measured, then chosen: INT8 when the contract
/// asks for it and it is faster here than FP32 (a note says so when it is not).
std::vector<const Cell*> choose_final(const Contract& contract, const std::vector<Cell>& cells,
                                      report::DeployReport& report);

/// Adds a row for each criterion and sets report.passed and report.failures.
void accept(const Contract& contract, const std::vector<Cell>& cells,
            const std::vector<const Cell*>& final_cells, report::DeployReport& report);

}  // namespace tarmac

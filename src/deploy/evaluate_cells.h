// Accuracy of every cell on the evaluation data, and its outputs against the framework's.
#pragma once

#include "contract/dataset.h"
#include "deploy/cells.h"
#include "verify/evaluate.h"

namespace tarmac {

/// An evaluation as the report says it.
report::AccuracyResult accuracy_of(const Evaluation& evaluation);

/// What agreement is with: the original model on the first target; null where there is none.
Executable* find_original(const std::vector<Cell>& cells);

/// Streams the evaluation data once through all cells: accuracy, confusion, predictions, a sheet of pictures.
Status evaluate_cells(const Contract& contract, const Dataset& data, std::vector<Cell>& cells,
                      report::DeployReport& report, Progress& progress);

/// Compares every cell's outputs with the contract's reference. INT8 and 16-bit floats are shown, not judged:
/// their promise is the accuracy drop.
Status compare_cells_with_reference(const Contract& contract, std::vector<Cell>& cells,
                                    report::DeployReport& report, Progress& progress);

}  // namespace tarmac

// How far `geometry: fused` is from OpenCV's steps, where the contract asks for it.
#pragma once

#include "contract/dataset.h"
#include "deploy/cells.h"

namespace tarmac {

/// Records report.geometry when the contract's picture input says fused: grey levels between the two inputs
/// over the evaluation pictures (the calibration's where there are none), and the accuracy of the original
/// model on every target under both, fused as evaluate_cells() found it. A note where there is nothing to
/// compare. Errors as BatchReader::next() and evaluate().
Status compare_geometries(const Contract& contract, const std::vector<Cell>& cells,
                          report::DeployReport& report, Progress& progress);

}  // namespace tarmac

#include "deploy/robustness.h"

#include "deploy/evaluate_cells.h"
#include "verify/faults.h"

namespace tarmac {

Status try_faults(const Contract& contract, const Dataset& data, const std::vector<Cell>& cells,
                  const std::vector<const Cell*>& chosen, report::DeployReport& report, Progress& progress) {
  std::vector<Executable*> executables;
  for (const Cell* cell : chosen) executables.push_back(cell->executable.get());
  for (const FaultSpec& fault : contract.robustness) {
    TARMAC_TRY(const auto evaluations,
               evaluate(executables, contract, data, {}, progress, find_original(cells), &fault));
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      report::RobustnessRow& row = report.robustness.emplace_back();
      row.fault = to_string(fault);
      row.variant = chosen[i]->result.variant;
      row.target = chosen[i]->result.target;
      row.accuracy = accuracy_of(evaluations[i]);
      if (chosen[i]->result.accuracy) row.drop = chosen[i]->result.accuracy->value - row.accuracy.value;
    }
  }
  return {};
}

}  // namespace tarmac

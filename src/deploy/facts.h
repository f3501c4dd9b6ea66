// Facts that a report opens with: model, machine, versions, time.
#pragma once

#include <string>
#include <vector>

#include "report/report.h"
#include "targets/target.h"
#include "tarmac/contract.h"

namespace tarmac {

/// Fills in the report's head. Errors: kNotFound or kIo when the model cannot be read.
Status describe_deployment(const Contract& contract, const std::vector<Target*>& targets,
                           report::DeployReport& report);

/// "Intel(R) Xeon(R) …", as the system calls it; empty where it does not.
std::string processor_name();

}  // namespace tarmac

// A full report with plausible numbers, to test and to look at.
#pragma once

#include "report/report.h"

namespace tarmac::test {
using namespace report;

/// Three variants on two targets, forty pictures of which some are predicted wrongly, hostile names.
DeployReport sample_report();

}  // namespace tarmac::test

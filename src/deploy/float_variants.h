// The 16-bit models of a deployment.
#pragma once

#include <vector>

#include "deploy/variants.h"
#include "precision/sample_set.h"
#include "report/report.h"
#include "targets/target.h"

namespace tarmac {

/// A copy of `model` (FP32, optimised for all of `targets`) for each type of the contract's precision.also:
/// "fp16", "bf16". Inputs and outputs stay float32, so that a carried state is of one type from frame to
/// frame and all variants eat the same data. `samples` tell the ranges; without any they are made up. A type
/// for which no such model agrees, or that the model's opset lacks, gets none and a note. Records in `report`
/// what stays in float32 and why. Errors: convert_precision()'s others.
Result<std::vector<Variant>> make_float_variants(const Contract& contract, const Model& model,
                                                 const SampleSet& samples,
                                                 const std::vector<Target*>& targets,
                                                 report::DeployReport& report, Progress& progress);

}  // namespace tarmac

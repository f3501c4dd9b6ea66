// The models that a deployment compares: the original, the optimised, those of 16 bits, the quantised ones.
#pragma once

#include <string>
#include <vector>

#include "contract/dataset.h"
#include "report/report.h"
#include "targets/target.h"

namespace tarmac {

struct Variant {
  std::string name;  ///< "original", "fp32", "fp16", "bf16" or "int8"
  Model model;
  const Target* only = nullptr;  ///< null: for every target
};

/// The contract's model, functions inlined because no engine here has kernels for them, types inferred.
struct Source {
  Model model;
  std::string digest;  ///< model_digest() of the model as it was loaded
};
Result<Source> load_source(const Contract& contract);

/// Makes the variants that the contract's precision asks for, in this order, and records in `report` what
/// passes, calibration and quantisation did. All of `targets` run the result. The optimised one is compared
/// with the original on `evaluation`, else on `calibration` (null: there is none), and made-up inputs.
/// `calibration` may be null unless the contract asks for INT8.
Result<std::vector<Variant>> make_variants(const Contract& contract, Model original,
                                           const Dataset* evaluation, const Dataset* calibration,
                                           const std::vector<Target*>& targets, report::DeployReport& report,
                                           Progress& progress);

}  // namespace tarmac

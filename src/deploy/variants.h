// The models that a deployment compares: the original, the optimised, and the quantised one.
#pragma once

#include <string>
#include <vector>

#include "contract/dataset.h"
#include "report/report.h"
#include "targets/target.h"

namespace tarmac {

struct Variant {
  std::string name;  ///< "original", "fp32" or "int8"
  Model model;
};

/// All variants of one source model.
struct Variants {
  std::vector<Variant> list;
  std::string source_digest;  ///< model_digest() of the model as it was loaded
};

/// Makes the variants that the contract's precision asks for, in this order, and records in `report` what
/// passes, calibration and quantisation did. `calibration` may be null unless the contract asks for INT8; it
/// is observed on `target`. Functions are inlined in all of them, because no engine here has kernels for
/// them.
Result<Variants> make_variants(const Contract& contract, const Dataset* calibration, Target& target,
                               report::DeployReport& report, Progress& progress);

}  // namespace tarmac

// One conformance case: a model, inputs, and the outputs that onnx's reference gives for them.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "targets/target.h"
#include "tarmac/tensor.h"

namespace tarmac::conformance {

/// |found - expected| <= atol + rtol * |expected| + of_largest * max |expected|
struct Tolerance {
  double rtol = 0;
  double atol = 0;
  double of_largest = 0;
};
using Tolerances = std::map<DType, Tolerance>;

/// Reads tolerances.json; types it does not name must be equal.
Result<Tolerances> read_tolerances(const std::filesystem::path& path);

enum class Outcome { kPassed, kRefused, kWrong };

struct Verdict {
  Outcome outcome = Outcome::kWrong;
  std::string reason;  ///< empty when passed
};

/// Compiles and runs the case in `folder` on `target` and compares every output of every data set. `prepare`
/// (if any) changes the model first; what it cannot do comes out as refused.
Verdict run_case(Target& target, const std::filesystem::path& folder, const Tolerances& tolerances,
                 const std::function<Status(Model&)>& prepare = {});

/// Empty when equal within the tolerance; else the first difference in words.
std::string difference(const Tensor& expected, const Tensor& found, const Tolerance& tolerance);

}  // namespace tarmac::conformance

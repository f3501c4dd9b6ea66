// One case of a driving operator, run every way there is and compared with the plain reference.
#pragma once

#include <string>
#include <vector>

#include "ops/operator.h"
#include "tarmac/tensor.h"

namespace tarmac::test {

struct OperatorCase {
  std::string name;
  const ops::Operator& op;
  ops::Attributes attributes;  ///< those that are not the default
  std::vector<Tensor> inputs;  ///< in the schema's order; an empty Tensor for one that is left out
  double absolute = 1e-5;  ///< a result may differ from the reference's by absolute + relative·|reference|
  double relative = 1e-5;
  /// False for what no engine can feed (OpenVINO has no empty tensors in some places): kernels only.
  bool in_engines = true;
};

/// The reference's outputs. Ends the test where it reports an error.
std::vector<Tensor> run_reference(const OperatorCase& test);

/// Outputs of the reference, then compared with them: the CPU kernel on every SIMD target of this machine, on
/// one thread and on several; then a model of this one node on every engine here, with fixed and with open
/// sizes (16-bit floats within their own precision, as engines may compute them in float32). Integers and
/// bools must be equal, NaN must meet NaN.
void expect_agreement(const OperatorCase& test);

/// Runs inference of types, then the kernel that `make` makes (op.cpu or op.reference): for tests of errors.
Result<std::vector<Tensor>> run_kernel(const OperatorCase& test, bool reference, ops::Parallel& parallel);

/// Pseudo-random tensors; the same for the same seed.
Tensor random_tensor(DType dtype, const Shape& shape, double low, double high, unsigned seed);
Tensor random_integers(DType dtype, const Shape& shape, std::int64_t low, std::int64_t high, unsigned seed);
/// A float32 tensor in another floating-point type, rounded to nearest.
Tensor as_dtype(const Tensor& tensor, DType dtype);

}  // namespace tarmac::test

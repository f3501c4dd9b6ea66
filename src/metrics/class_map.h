// Which class a model's scores say, place by place.
#pragma once

#include <cstdint>
#include <vector>

#include "tarmac/tensor.h"

namespace tarmac {

struct ClassMap {
  Shape shape;                        ///< [N, places…]
  std::vector<std::int32_t> classes;  ///< Row-major; -1 where there is none: NaN among the scores.
  std::int64_t scored = 0;            ///< Classes that the scores tell apart; 0 where the model gave classes.
};

/// Floats are scores [N, C, places…]: the first of the largest along the second axis; where C is 1, class 1
/// above `threshold` and class 0 elsewhere. Integers are classes already, [N, places…] or [N, 1, H, W]; what
/// is below 0 or above 2^31-1 is none. Floats of other widths are compared as float32. Errors: kInvalidInput
/// (fewer than two axes, no class), kUnsupported (string, complex).
Result<ClassMap> class_map(const Tensor& scores, double threshold = 0);

}  // namespace tarmac

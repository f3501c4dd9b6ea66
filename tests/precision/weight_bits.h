// How many bits weights have here, as `tarmac quantize` would choose.
#pragma once

#include "plan/cpu_features.h"

namespace tarmac::test {

/// 7 where the engines' sums of 8-bit products would saturate.
inline int weight_bits() { return sums_int8_exactly(cpu_features()) ? 8 : 7; }

}  // namespace tarmac::test

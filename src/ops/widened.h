// Whole 16-bit inputs as float32, for loops that look at all of them.
#pragma once

#include <cstddef>

#include "ops/tensor_view.h"

namespace tarmac::ops {

/// The numbers themselves where they are float32; otherwise a copy in this slot of the thread's scratch
/// memory.
const float* widened(const ConstTensorView& tensor, std::size_t slot);

}  // namespace tarmac::ops

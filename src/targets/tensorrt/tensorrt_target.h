// TensorRT 10, TensorRT 11 and TensorRT-RTX as a target.
#pragma once

#include "targets/target.h"

namespace tarmac {

/// Checks models from its tables, without TensorRT. Runs no engines yet: available() and
/// compile() say kUnavailable.
Target& tensorrt_target();

}  // namespace tarmac

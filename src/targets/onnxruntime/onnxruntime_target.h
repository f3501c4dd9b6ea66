// ONNX Runtime with a list of execution providers.
#pragma once

#include "targets/target.h"

namespace tarmac {

Target& onnxruntime_target();

}  // namespace tarmac

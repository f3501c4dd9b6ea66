// OpenVINO on the CPU.
#pragma once

#include "targets/target.h"

namespace tarmac {

Target& openvino_target();

}  // namespace tarmac

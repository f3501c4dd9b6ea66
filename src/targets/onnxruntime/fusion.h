#pragma once

#include "targets/fusion.h"

namespace tarmac::onnxruntime {

const FusionRules& fusion_rules();

}  // namespace tarmac::onnxruntime

#pragma once

#include "targets/fusion.h"

namespace tarmac::openvino {

const FusionRules& fusion_rules();

}  // namespace tarmac::openvino

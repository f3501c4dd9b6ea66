#pragma once

#include "targets/common/known_issues.h"

namespace tarmac::openvino {

/// What OpenVINO 2026.4's ONNX front end or CPU plugin reads differently from the ONNX specification.
std::span<const KnownIssue> known_issues();

}  // namespace tarmac::openvino

#pragma once

#include "targets/common/known_issues.h"

namespace tarmac::onnxruntime {

/// What ONNX Runtime 1.32's CPU provider computes differently from the ONNX specification, or refuses only in
/// a run.
std::span<const KnownIssue> known_issues();

}  // namespace tarmac::onnxruntime

// A detector's output tensors as detections.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "metrics/detection.h"
#include "tarmac/contract.h"
#include "verify/compare_outputs.h"

namespace tarmac {

/// The detections of each of the first `samples` samples; shapes as at DetectionOutputs, where a last axis of
/// size 1 may follow. Raw heads go through decode_head(). A class that is not finite makes its detection's
/// score NaN. Errors: kNotFound (an output is missing), kInvalidInput (shapes that do not fit, fewer samples,
/// a count outside 0 to K), kUnsupported (dtype).
Result<std::vector<std::vector<Detection>>> read_detections(const NamedTensors& outputs,
                                                            const DetectionOutputs& names,
                                                            std::int64_t samples);

/// The outputs that read_detections() or read_detections_3d() reads; "" stands for the only one.
std::vector<std::string> detection_outputs(const DetectionOutputs& names);

/// The tensor of this name; kNotFound where there is none.
Result<const Tensor*> find_output(const NamedTensors& outputs, const std::string& name);

}  // namespace tarmac

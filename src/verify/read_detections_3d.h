// A detector's output tensors as boxes in space.
#pragma once

#include <cstdint>
#include <vector>

#include "metrics/detection_3d.h"
#include "tarmac/contract.h"
#include "verify/compare_outputs.h"

namespace tarmac {

/// The detections of each of the first `samples` samples, best first, for decoder kCenterPoint: the operators
/// BoxDecode3d (style centerpoint, peaks_only) and CircleNms run on the outputs, so what is evaluated is what
/// a vehicle does with them. Only scores above how.min_score count. A velocity is NaN where there is no such
/// output; one that is not finite makes its detection's score NaN. Errors: kNotFound (an output is missing),
/// kInvalidInput (shapes that do not fit each other, a map that is not as large as how.center_point->range,
/// fewer samples), kUnsupported (another decoder).
Result<std::vector<std::vector<Detection3d>>> read_detections_3d(const NamedTensors& outputs,
                                                                 const DetectionOutputs& how,
                                                                 std::int64_t samples);

}  // namespace tarmac

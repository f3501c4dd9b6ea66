// What raw heads of detectors say, as detections: for models whose last layers were left to the caller.
#pragma once

#include <cstdint>
#include <vector>

#include "metrics/detection.h"
#include "tarmac/contract.h"
#include "tarmac/tensor.h"

namespace tarmac {

/// The detections of each of the first `samples` samples in a raw head, best first, at most kMostDetections
/// of a sample; boxes in pixels of the model's input. By how.decoder:
///   kFastestDet, head [N, 5 + C, H, W] (dog-qiuqiu/FastestDet, test.py): channel 0 is the objectness o,
///     1 to 4 the box b, the others the classes' probabilities p; for row i and column j
///       label = argmax p, score = o^0.6 p^0.4,
///       centre = ((j + tanh b0) / W, (i + tanh b1) / H), size = (sigmoid b2, sigmoid b3), of the input's
///       size.
///   kYolov8, head [N, 4 + C, K] (Ultralytics' YOLOv8 and later, exported without NMS): centre, width and
///     height in pixels of the input, then the classes' probabilities; score = max p.
/// Candidates below how.min_score or holding NaN are left out, then those that a better one of the same class
/// overlaps with an IoU above how.max_iou. Errors: kInvalidInput (another shape, fewer samples),
/// kUnsupported (dtype; kBoxes and kCenterPoint).
Result<std::vector<std::vector<Detection>>> decode_head(const Tensor& head, const DetectionOutputs& how,
                                                        std::int64_t samples);

inline constexpr std::size_t kMostDetections = 300;

/// Greedy non-maximum suppression within each class: best first, at most `most` remain. Equal scores stay in
/// the order given.
std::vector<Detection> suppress_overlaps(std::vector<Detection> candidates, double max_iou,
                                         std::size_t most = kMostDetections);

}  // namespace tarmac

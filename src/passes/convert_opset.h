// Moving a model to another version of the ONNX operator set.
#pragma once

#include <cstdint>

#include "graph/graph.h"

namespace tarmac {

/// The oldest version that convert_opset() reaches or starts from.
inline constexpr std::int64_t kOldestOpset = 7;
/// The newest version that the onnx library here knows.
std::int64_t newest_opset();
/// The IR version that came with a version of the operator set (the releases in ONNX's Versioning.md).
std::int64_t ir_version_of_opset(std::int64_t opset);

/// Rewrites every node of the ONNX domain, nested graphs included, for version `to` of the operator set; the
/// model computes the same. Local functions are inlined first. Going down, an operator that the older set
/// lacks becomes its definition by older operators where ONNX has one. The IR version becomes the one that
/// came with the set, or the oldest that the content needs. Names, weights and metadata stay. On an error the
/// model is untouched. Errors: kUsage (`to` out of range, names the range), kUnsupported with the node, its
/// operator, the versions and the reason; kInvalidModel as infer_shapes().
Status convert_opset(Model& model, std::int64_t to);

}  // namespace tarmac

// The custom nodes that mmcv, mmdeploy, BEVFormer's and BEVDet's TensorRT projects and CUDA-PointPillars
// write for driving operators.
#pragma once

#include <string>

#include "passes/pass.h"

namespace tarmac {

/// What became of a custom node.
struct Adoption {
  Value* replacement = nullptr;  ///< for the node's output; null: it stays
  std::string why;               ///< where it stays: the reason; empty where it is none of these operators
  std::string what;              ///< what it became
};

/// Puts a driving operator, or an ONNX one, before `node` if that does the same for sure.
Result<Adoption> adopt_attention(Model& model, PassContext& context, Node& node);
Result<Adoption> adopt_deform_conv(Model& model, PassContext& context, Node& node);
Result<Adoption> adopt_bev_pool(Model& model, PassContext& context, Node& node);
Result<Adoption> adopt_pillar_scatter(Model& model, PassContext& context, Node& node);
Result<Adoption> adopt_grid_sampler(Model& model, PassContext& context, Node& node);

/// Whether the node has this name, with or without a 2 at the end (the variant for pairs of halves), in a
/// domain that these projects use.
bool is_foreign(const Node& node, std::string_view name);

}  // namespace tarmac

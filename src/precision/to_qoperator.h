// A Q/DQ model in ONNX Runtime's own quantised operators (its "QOperator" format).
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"
#include "precision/rewritten_node.h"

namespace tarmac {

/// Rewrites the model in place: nodes between DequantizeLinear and QuantizeLinear become QLinearConv and
/// QLinearMatMul, or QLinearAdd, QLinearMul, QLinearAveragePool, QLinearGlobalAveragePool, QLinearConcat,
/// QLinearSigmoid, QLinearLeakyRelu, QGemm and MatMulIntegerToFloat of com.microsoft; a Relu or Clip that the
/// result's integers imply goes; nodes that only move values take the integers as they are. What has no such
/// form stays as it is, with the reason. The result differs from the Q/DQ model's by rounding only: one step
/// at most in each tensor. Errors: kUnsupported below opset 10.
Result<std::vector<RewrittenNode>> to_qoperator(Model& model);

/// Why a target does not run the format; empty where it does.
std::string qoperator_obstacle(const std::string& target);

}  // namespace tarmac

// What TensorRT's ONNX parser takes: a table of operators and of limits on them, so that a model can be
// checked on a machine without TensorRT. Sources: [parser] what the parser of TensorRT-RTX 1.7.1 answered for
// the node cases of onnx 1.23, which `./dev test frontends tensorrt` asks again; [table] the operator table
// of onnx-tensorrt 10.1 (docs/operators.md).
#pragma once

#include <optional>

#include "targets/common/node_check.h"

namespace tarmac::tensorrt {

/// Why the parser refuses a node whose nested graphs are taken; none where it takes it. `model` must have its
/// types inferred: where a type or shape is not known, rules on it do not apply.
std::optional<Refusal> find_refusal(const Model& model, const IssueQuery& query);

}  // namespace tarmac::tensorrt

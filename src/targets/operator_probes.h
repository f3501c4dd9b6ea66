// The smallest models that show whether an engine has an operator.
#pragma once

#include <string_view>

#include "graph/graph.h"

namespace tarmac {

/// A model whose one node is the operator, with plain float inputs and few attributes. Errors: kUnsupported
/// where neither the table of probes nor ONNX's schema says how to call it.
Result<Model> operator_probe(std::string_view domain, std::string_view op_type, std::int64_t opset_version);

}  // namespace tarmac

#include <onnx/inliner/inliner.h>

#include "graph/model_io.h"
#include "graph/proto.h"
#include "passes/passes.h"

namespace tarmac {
Status inline_functions(Model& model, PassContext& context) {
  if (model.functions.empty()) return {};
  Skeleton skeleton = to_skeleton(model, kPayloadThresholdBytes);
  try {
    onnx::inliner::InlineLocalFunctions(skeleton.proto, false);
  } catch (const std::exception& failure) {
    return make_error(ErrorCode::kInvalidModel,
                      std::string("cannot inline local functions: ") + failure.what());
  }
  TensorPayloads source(skeleton.payloads);
  for_each_node(*model.graph, [&](Node& node) {
    if (model.find_function(node) != nullptr)
      context.changed(node, "inlined the local function " + node.op_type);
  });
  TARMAC_TRY(model, model_from_proto(skeleton.proto, source));
  return {};
}

}  // namespace tarmac

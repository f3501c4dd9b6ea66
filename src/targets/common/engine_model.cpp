#include "targets/common/engine_model.h"

#include "graph/model_io.h"

namespace tarmac {

Result<EngineModel> make_engine_model(const Model& model) {
  Model copy = clone_model(model);  // shares the weights
  EngineModel result;
  const auto name_nodes = [&](Node& node) {
    if (node.name.empty()) node.name = node.label();
    result.labels.emplace(node.name, node.op_type);
    for (const Value* output : node.outputs()) {
      if (output != nullptr) result.origins.producer.emplace(output->name(), node.name);
    }
    const Value* first = node.input(0);
    if (first != nullptr && first->producer() != nullptr) {
      result.origins.feeder.emplace(node.name, first->producer()->label());
    }
  };
  for_each_node(*copy.graph, name_nodes);
  for (const Function& function : copy.functions) for_each_node(*function.body, name_nodes);
  TARMAC_TRY(result.bytes, serialize_model(copy));
  return result;
}

}  // namespace tarmac

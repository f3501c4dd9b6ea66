#include "targets/common/engine_model.h"

#include "graph/clone.h"
#include "graph/memory_model.h"
#include "graph/model_io.h"
#include "passes/infer_shapes.h"

namespace tarmac {
namespace {

/// Smaller weights are not worth a place of their own.
constexpr std::size_t kApartThresholdBytes = std::size_t{64} << 10U;

bool has_whole_bytes(const Tensor& tensor) {
  return tensor.dtype() <= DType::kBFloat16 && tensor.dtype() != DType::kString;
}

std::vector<DType> dtypes_of(const std::vector<Value*>& values) {
  std::vector<DType> dtypes;
  for (const Value* value : values) {
    const Tensor* stored = value == nullptr ? nullptr : value->initializer();
    dtypes.push_back(stored != nullptr  ? stored->dtype()
                     : value != nullptr ? value->type.dtype
                                        : DType::kUndefined);
  }
  return dtypes;
}

Status add_kernels(Model& model, DrivingForm form, std::vector<DrivingCall>& driving) {
  bool any = false;
  for_each_node(*model.graph,
                [&](const Node& node) { any = any || driving_operator(model, node) != nullptr; });
  if (!any) return {};
  TARMAC_CHECK_OK(infer_shapes(model));
  TARMAC_TRY(const auto nodes, prepare_driving_operators(model));
  for (const auto& [node, kernel] : nodes) {
    if (form == DrivingForm::kByNode) {
      node->op_type = driving_name(node->op_type, driving.size());
    } else {
      node->attributes[kPresentInputs] = static_cast<std::int64_t>(kernel->present());
    }
    driving.push_back({kernel, dtypes_of(node->inputs()), dtypes_of(node->outputs())});
  }
  return {};
}

}  // namespace

std::string driving_name(std::string_view op_type, std::size_t index) {
  return std::string(op_type) + "_" + std::to_string(index);
}

Result<EngineModel> make_engine_model(const Model& model, DrivingForm form, WeightForm weights) {
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
  TARMAC_CHECK_OK(add_kernels(copy, form, result.driving));
  if (weights == WeightForm::kInside) {
    TARMAC_TRY(result.bytes, serialize_model(copy));
    return result;
  }
  if (weights == WeightForm::kByName) {
    TARMAC_TRY(NamedWeights named, refer_by_name(copy, kApartThresholdBytes, has_whole_bytes));
    result.bytes = std::move(named.program);
    result.weights = std::move(named.tensors);
    result.weight_names = std::move(named.names);
    return result;
  }
  TARMAC_TRY(MemoryModel referring, refer_to_memory(copy, kApartThresholdBytes));
  result.bytes = std::move(referring.program);
  result.weights = std::move(referring.tensors);
  return result;
}

}  // namespace tarmac

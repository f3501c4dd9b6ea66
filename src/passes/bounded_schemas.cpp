#include "passes/bounded_schemas.h"

#include <map>
#include <memory>
#include <mutex>

namespace tarmac {
namespace {

bool has_long_vector(const onnx::DataPropagationContext& context) {
  for (std::size_t i = 0; i < context.getNumInputs(); ++i) {
    const onnx::TypeProto* type = context.getInputType(i);
    if (type == nullptr || !type->has_tensor_type() || !type->tensor_type().has_shape()) continue;
    const auto& shape = type->tensor_type().shape();
    if (shape.dim_size() == 1 && shape.dim(0).dim_value() > kMaxPropagatedElements) return true;
  }
  return false;
}

class BoundedSchemas final : public onnx::ISchemaRegistry {
 public:
  const onnx::OpSchema* GetSchema(const std::string& op_type, int max_version,
                                  const std::string& domain) const override {
    const onnx::OpSchema* schema = onnx::OpSchemaRegistry::Schema(op_type, max_version, domain);
    if (schema == nullptr || !schema->has_data_propagation_function()) return schema;
    const std::lock_guard lock(mutex_);
    auto& bounded = copies_[schema];
    if (bounded == nullptr) {
      bounded = std::make_unique<onnx::OpSchema>(*schema);
      bounded->PartialDataPropagationFunction(
          [propagate = schema->GetDataPropagationFunction()](onnx::DataPropagationContext& context) {
            if (!has_long_vector(context)) propagate(context);
          });
    }
    return bounded.get();
  }

 private:
  mutable std::mutex mutex_;
  mutable std::map<const onnx::OpSchema*, std::unique_ptr<onnx::OpSchema>> copies_;
};

}  // namespace

const onnx::ISchemaRegistry& bounded_schemas() {
  static const BoundedSchemas schemas;
  return schemas;
}

}  // namespace tarmac

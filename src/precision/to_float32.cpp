#include "precision/to_float32.h"

#include <algorithm>
#include <array>
#include <vector>

#include "passes/infer_shapes.h"
#include "passes/passes.h"
#include "precision/casts.h"
#include "precision/rounding.h"

namespace tarmac {
namespace {

/// Attributes whose number is a data type.
constexpr std::array<const char*, 7> kTypeAttributes = {
    "to", "dtype", "output_dtype", "output_datatype", "stash_type", "softmax_precision", "precision"};

constexpr auto kFloat32Number = static_cast<std::int64_t>(DType::kFloat32);

bool is_16_bit_number(std::int64_t number) {
  return number == static_cast<std::int64_t>(DType::kFloat16) ||
         number == static_cast<std::int64_t>(DType::kBFloat16);
}

bool widen_type(Type& type) {
  if (type.element != nullptr) {
    Type element = *type.element;
    if (!widen_type(element)) return false;
    type.element = std::make_shared<const Type>(std::move(element));
    return true;
  }
  if (type.kind == Type::Kind::kMap || !is_16_bit_float(type.dtype)) return false;
  type.dtype = DType::kFloat32;
  return true;
}

}  // namespace

Status widen_attributes(Node& node) {
  for (auto& [key, attribute] : node.attributes) {
    if (auto* number = std::get_if<std::int64_t>(&attribute)) {
      const bool is_type =
          std::find(kTypeAttributes.begin(), kTypeAttributes.end(), key) != kTypeAttributes.end();
      if (is_type && node.domain.empty() && is_16_bit_number(*number)) *number = kFloat32Number;
    } else if (auto* tensor = std::get_if<Tensor>(&attribute)) {
      TARMAC_TRY(*tensor, widened(*tensor));
    } else if (auto* type = std::get_if<Type>(&attribute)) {
      widen_type(*type);
    }
  }
  return {};
}

Status widen_graph(Graph& graph, Float32Report* report) {
  Float32Report unused;
  Float32Report& counts = report != nullptr ? *report : unused;
  for (Value* value : graph.inputs()) counts.values += widen_type(value->type) ? 1 : 0;
  for (Value* value : std::vector<Value*>(graph.initializers())) {
    widen_type(value->type);
    if (!is_16_bit_float(value->initializer()->dtype())) continue;
    TARMAC_TRY(Tensor tensor, widened(*value->initializer()));
    graph.set_initializer(*value, std::move(tensor));
    ++counts.weights;
  }
  for (const auto& node : graph.nodes()) {
    TARMAC_CHECK_OK(widen_attributes(*node));
    for (Value* output : node->outputs()) {
      if (output != nullptr) counts.values += widen_type(output->type) ? 1 : 0;
    }
    Status nested_status;
    node->for_each_subgraph([&](Graph& nested) {
      if (nested_status) nested_status = widen_graph(nested, &counts);
    });
    TARMAC_CHECK_OK(nested_status);
  }
  return {};
}

Result<Float32Report> convert_to_float32(Model& model, bool keep_io) {
  PassContext context;
  TARMAC_CHECK_OK(inline_functions(model, context));
  TARMAC_CHECK_OK(infer_shapes(model));
  Graph& graph = *model.graph;
  std::vector<DType> inputs;
  std::vector<DType> outputs;
  for (const Value* input : graph.inputs()) inputs.push_back(input->type.dtype);
  for (const Value* output : graph.outputs()) outputs.push_back(output->type.dtype);
  Float32Report report;
  TARMAC_CHECK_OK(widen_graph(graph, &report));
  if (keep_io) {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (!graph.inputs()[i]->type.is_tensor() || !is_16_bit_float(inputs[i])) continue;
      TARMAC_CHECK_OK(cast_behind_input(*graph.inputs()[i], inputs[i]));
      ++report.casts_added;
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      Value& output = *graph.outputs()[i];
      if (!output.type.is_tensor() || !is_16_bit_float(outputs[i]) || output.is_input()) continue;
      cast_output(graph, i, outputs[i]);
      ++report.casts_added;
    }
  }
  report.casts_removed = remove_needless_casts(graph);
  TARMAC_CHECK_OK(infer_shapes(model));
  return report;
}

}  // namespace tarmac

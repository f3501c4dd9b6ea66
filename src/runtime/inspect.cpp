#include "runtime/inspect.h"

#include <filesystem>

#include "graph/model_io.h"
#include "ops/operator.h"
#include "passes/infer_shapes.h"
#include "passes/passes.h"
#include "plan/tensor_spec.h"
#include "runtime/cost.h"

namespace tarmac {
namespace {

void count_weight(const Tensor& tensor, ModelInfo& info) {
  info.parameters += tensor.count();
  info.weight_bytes += tensor.bytes().size();
}

void count_graph(const Graph& graph, ModelInfo& info) {
  for (const Value* value : graph.initializers()) {
    if (value->initializer() != nullptr) count_weight(*value->initializer(), info);
  }
  for (const auto& node : graph.nodes()) {
    ++info.nodes;
    ++info.operators[node->domain.empty() ? node->op_type : node->domain + "::" + node->op_type];
    if (const auto* tensor = node->attribute<Tensor>("value"); tensor != nullptr && node->is("Constant")) {
      count_weight(*tensor, info);
    }
    node->for_each_subgraph([&](Graph& nested) { count_graph(nested, info); });
  }
}

void count_model(const Model& model, ModelInfo& info) {
  count_graph(*model.graph, info);
  for (const Function& function : model.functions) {
    // A driving operator's definition is there for targets without it.
    if (function.domain != ops::kDomain) count_graph(*function.body, info);
  }
}

/// The shape of an input with its open sizes filled in; nullopt when the rank is unknown.
std::optional<Shape> assumed_shape(const Type& type, const InspectOptions& options,
                                   std::map<std::string, std::int64_t>& assumed) {
  if (!type.shape) return std::nullopt;
  Shape shape;
  for (const Dim& dim : *type.shape) {
    const auto chosen = options.sizes.find(dim.symbol);
    shape.push_back(dim.known() ? *dim.size : chosen == options.sizes.end() ? 1 : chosen->second);
    if (!dim.known()) assumed[dim.symbol.empty() ? "?" : dim.symbol] = shape.back();
  }
  return shape;
}

/// Fills in the costs of the model, which is changed on the way.
Status count_costs(Model model, const InspectOptions& options, ModelInfo& info) {
  PassContext context;
  TARMAC_CHECK_OK(inline_functions(model, context));
  TARMAC_CHECK_OK(infer_shapes(model));
  for (const Value* input : model.graph->inputs()) {
    const auto shape = assumed_shape(input->type, options, info.assumed_sizes);
    if (shape && !input->type.static_shape()) TARMAC_CHECK_OK(fix_input_shape(model, input->name(), *shape));
  }
  const ArithmeticCost cost = count_arithmetic(*model.graph);
  info.uncounted_nodes = cost.uncounted_nodes;
  if (cost.counted_nodes > 0 || cost.uncounted_nodes == 0) info.flops = cost.flops;
  TARMAC_TRY(info.peak_activation_bytes, peak_activation_bytes(*model.graph));
  return {};
}

}  // namespace

Result<ModelInfo> inspect_model(const Model& model, const InspectOptions& options) {
  ModelInfo info;
  TARMAC_TRY(info.digest, model_digest(model));
  info.ir_version = model.ir_version;
  info.opsets = model.opsets;
  info.producer = model.producer_name;
  if (!model.producer_version.empty())
    info.producer += (info.producer.empty() ? "" : " ") + model.producer_version;
  for (const Value* input : model.graph->inputs()) {
    if (input->initializer() == nullptr) info.inputs.push_back(tensor_spec(input->name(), input->type));
  }
  for (const Value* output : model.graph->outputs())
    info.outputs.push_back(tensor_spec(output->name(), output->type));
  count_model(model, info);
  if (const Status costs = count_costs(clone_model(model), options, info); !costs)
    info.unknown_because = costs.error().str();
  return info;
}

Result<ModelInfo> inspect_model(const std::filesystem::path& path, const InspectOptions& options) {
  TARMAC_TRY(const Model model, load_model(path));
  TARMAC_TRY(ModelInfo info, inspect_model(model, options));
  std::error_code ignored;
  info.file_bytes = std::filesystem::file_size(path, ignored);
  return info;
}

}  // namespace tarmac

#include "precision/quantize_dynamic.h"

#include <algorithm>
#include <map>
#include <set>

#include "passes/passes.h"
#include "passes/rewrite.h"
#include "precision/fusion_groups.h"
#include "precision/stored_matrix.h"

namespace tarmac {
namespace {

constexpr std::int64_t kFirstOpset = 11;

Value& add_named(Graph& graph, const char* op_type, std::vector<Value*> inputs, const std::string& name,
                 Type type, Node& before) {
  Value& value = graph.add_op(op_type, std::move(inputs), name, &before);
  value.producer()->name = value.name();
  value.type = std::move(type);
  return value;
}

class DynamicQuantizer {
 public:
  DynamicQuantizer(Graph& graph, int largest) : graph_(graph), largest_(largest) {}

  Status rewrite(Node& node, RewrittenNode& row) {
    const Tensor matrix = *constant_of(node.input(1));
    TARMAC_TRY(const Matrix* weights, stored(*node.input(1), matrix));
    const Rounded& rounded = round(*node.input(0), node);
    const std::string base = node.label();
    Type sums_type = node.output(0)->type;
    sums_type.dtype = DType::kInt32;
    Value& sums =
        add_named(graph_, "MatMulInteger", {rounded.integers, weights->integers, rounded.zero_point},
                  base + "_sums", std::move(sums_type), node);
    Value& floats = add_named(graph_, "Cast", {&sums}, base + "_float_sums", node.output(0)->type, node);
    floats.producer()->attributes.emplace("to", static_cast<std::int64_t>(DType::kFloat32));
    Value& scale = add_named(graph_, "Mul", {rounded.scale, weights->scales}, base + "_scale",
                             weights->scales->type, node);
    Value* result =
        &add_named(graph_, "Mul", {&floats, &scale}, base + "_product", node.output(0)->type, node);
    if (Value* bias = node.input(2))
      result = &add_named(graph_, "Add", {result, bias}, base + "_biased", node.output(0)->type, node);
    graph_.replace_uses(*node.output(0), *result);
    row.became = "DynamicQuantizeLinear and MatMulInteger";
    row.float_bytes = matrix.bytes().size();
    row.stored_bytes =
        weights->integers->initializer()->bytes().size() + weights->scales->initializer()->bytes().size();
    graph_.erase(node);
    return {};
  }

 private:
  struct Matrix {
    Value* integers = nullptr;
    Value* scales = nullptr;
  };
  struct Rounded {
    Value* integers = nullptr;
    Value* scale = nullptr;
    Value* zero_point = nullptr;
  };

  Result<const Matrix*> stored(Value& original, const Tensor& tensor) {
    auto [it, is_new] = matrices_.try_emplace(&original);
    if (is_new) {
      TARMAC_TRY(Int8Matrix matrix, round_columns(tensor, largest_, original.name()));
      it->second.integers =
          &graph_.add_initializer(graph_.fresh_name(original.name() + "_int8"), std::move(matrix.integers));
      it->second.scales = &graph_.add_initializer(
          graph_.fresh_name(original.name() + "_scale"),
          Tensor::from({static_cast<std::int64_t>(matrix.scales.size())}, matrix.scales));
    }
    return &it->second;
  }

  /// The activation in uint8, made once for all products that read it: before the first of them.
  const Rounded& round(Value& value, Node& before) {
    auto [it, is_new] = rounded_.try_emplace(&value);
    if (!is_new) return it->second;
    const std::string& name = value.name();
    Type integers = value.type;
    integers.dtype = DType::kUint8;
    it->second = {
        &graph_.add_value(graph_.fresh_name(name + "_uint8"), integers),
        &graph_.add_value(graph_.fresh_name(name + "_scale"), Type::tensor(DType::kFloat32, Shape{})),
        &graph_.add_value(graph_.fresh_name(name + "_zero_point"), Type::tensor(DType::kUint8, Shape{}))};
    Node& node = graph_.add_node("DynamicQuantizeLinear", {&value},
                                 {it->second.integers, it->second.scale, it->second.zero_point}, &before);
    node.name = it->second.integers->name();
    return it->second;
  }

  Graph& graph_;
  int largest_;
  std::map<const Value*, Matrix> matrices_;
  std::map<const Value*, Rounded> rounded_;
};

}  // namespace

std::string dynamic_obstacle(const std::string& target) {
  if (target != "openvino") return {};
  return "OpenVINO has no kernel for dynamically rounded products: it computes MatMulInteger on floats, "
         "slower "
         "than the float model; take --mode weight-only, whose products it rounds dynamically by itself, or "
         "--mode static";
}

Result<std::vector<RewrittenNode>> quantize_dynamic(Model& model, const DynamicOptions& options) {
  if (model.opset() < kFirstOpset) {
    return make_error(ErrorCode::kUnsupported,
                      "the model is of opset " + std::to_string(model.opset()) +
                          ", DynamicQuantizeLinear came with 11; move it there with tarmac optimize --opset");
  }
  FusionRules rules;
  rules.weighted = {"Gemm", "MatMul"};
  FusionGroups groups = find_fusion_groups(model, rules);
  std::set<std::string> names;
  for (const FusionGroup& group : groups.groups) names.insert(group.name);
  std::vector<Node*> products;
  for (const auto& node : model.graph->nodes()) {
    if (names.contains(node->label())) products.push_back(node.get());
  }
  TARMAC_CHECK_OK(untranspose_weights(products));
  DynamicQuantizer quantizer(*model.graph, options.weight_bits == 7 ? 63 : 127);
  std::vector<RewrittenNode> report;
  for (Node* node : products) {
    RewrittenNode& row = report.emplace_back();
    row.node = node->label();
    row.op_type = node->op_type;
    TARMAC_CHECK_OK(quantizer.rewrite(*node, row));
  }
  for (const KeptInFloat& kept : groups.kept) {
    const bool convolution = kept.op_type == "Conv" || kept.op_type == "ConvTranspose";
    report.push_back(
        {kept.node,
         kept.op_type,
         {},
         convolution ? "integer convolutions of ONNX Runtime are slower than float ones" : kept.reason});
  }
  PassContext context;
  TARMAC_CHECK_OK(eliminate_dead_code(model, context));
  return report;
}

}  // namespace tarmac

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
constexpr const char* kSlowerConvolution =
    "integer convolutions of ONNX Runtime are slower than float ones; --mode static is faster, "
    "--allow-slower does it all the same";

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
    const bool convolves = node.is("Conv");
    const char* const op_type = convolves ? "ConvInteger" : "MatMulInteger";
    const Tensor original = *constant_of(node.input(1));
    TARMAC_TRY(const Weights* weights, stored(*node.input(1), original, convolves));
    TARMAC_TRY(Value* const bias, bias_of(node, weights->channels));
    const Rounded& rounded = round(*node.input(0), node);
    const std::string base = node.label();
    Type sums_type = node.output(0)->type;
    sums_type.dtype = DType::kInt32;
    Value& sums = add_named(graph_, op_type, {rounded.integers, weights->integers, rounded.zero_point},
                            base + "_sums", std::move(sums_type), node);
    if (convolves) sums.producer()->attributes = std::move(node.attributes);
    Value& floats = add_named(graph_, "Cast", {&sums}, base + "_float_sums", node.output(0)->type, node);
    floats.producer()->attributes.emplace("to", static_cast<std::int64_t>(DType::kFloat32));
    Value& scale = add_named(graph_, "Mul", {rounded.scale, weights->scales}, base + "_scale",
                             weights->scales->type, node);
    Value* result =
        &add_named(graph_, "Mul", {&floats, &scale}, base + "_product", node.output(0)->type, node);
    if (bias != nullptr)
      result = &add_named(graph_, "Add", {result, bias}, base + "_biased", node.output(0)->type, node);
    graph_.replace_uses(*node.output(0), *result);
    row.became = std::string("DynamicQuantizeLinear and ") + op_type;
    row.float_bytes = original.bytes().size();
    row.stored_bytes =
        weights->integers->initializer()->bytes().size() + weights->scales->initializer()->bytes().size();
    graph_.erase(node);
    return {};
  }

 private:
  struct Weights {
    Value* integers = nullptr;
    Value* scales = nullptr;
    Shape channels;  ///< of the scales, as they stand beside the node's results
  };
  struct Rounded {
    Value* integers = nullptr;
    Value* scale = nullptr;
    Value* zero_point = nullptr;
  };

  Result<const Weights*> stored(Value& original, const Tensor& tensor, bool convolves) {
    auto [it, is_new] = weights_.try_emplace(&original);
    if (is_new) {
      TARMAC_TRY(Int8Matrix rounded, convolves ? round_filters(tensor, largest_, original.name())
                                               : round_columns(tensor, largest_, original.name()));
      it->second.integers =
          &graph_.add_initializer(graph_.fresh_name(original.name() + "_int8"), std::move(rounded.integers));
      it->second.channels.assign(convolves ? tensor.shape().size() - 1 : 1, 1);
      it->second.channels[0] = static_cast<std::int64_t>(rounded.scales.size());
      it->second.scales = &graph_.add_initializer(graph_.fresh_name(original.name() + "_scale"),
                                                  Tensor::from(it->second.channels, rounded.scales));
    }
    return &it->second;
  }

  /// The bias as it is added behind the node, null where there is none. A convolution's stands along its
  /// channels, and is stored.
  Result<Value*> bias_of(Node& node, const Shape& channels) {
    Value* const bias = node.input(2);
    if (bias == nullptr || !node.is("Conv")) return bias;
    TARMAC_TRY(Tensor along, constant_of(bias)->reshaped(channels));
    return &graph_.add_initializer(graph_.fresh_name(bias->name() + "_along_channels"), std::move(along));
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
  std::map<const Value*, Weights> weights_;
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
  if (options.convolutions) rules.weighted.emplace("Conv");
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
    if (node->is("Conv") && node->input(2) != nullptr && constant_of(node->input(2)) == nullptr) {
      row.reason = "its bias is computed";
      continue;
    }
    TARMAC_CHECK_OK(quantizer.rewrite(*node, row));
  }
  for (const KeptInFloat& kept : groups.kept) {
    const bool left_out = kept.op_type == "Conv" && !options.convolutions;
    report.push_back({kept.node, kept.op_type, {}, left_out ? kSlowerConvolution : kept.reason});
  }
  PassContext context;
  TARMAC_CHECK_OK(eliminate_dead_code(model, context));
  return report;
}

}  // namespace tarmac

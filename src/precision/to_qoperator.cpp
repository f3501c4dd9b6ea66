#include "precision/to_qoperator.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string_view>

#include "passes/passes.h"
#include "precision/quantized_parts.h"
#include "tensor/codec.h"

namespace tarmac {
namespace {

constexpr const char* kVendor = "com.microsoft";
constexpr std::int64_t kFirstOpset = 10;
constexpr std::int64_t kFirstOpsetWithInt8Pool = 12;

/// Empty: rewritten. Else why not.
using Reason = std::string;

bool has_8_bits(DType dtype) { return dtype == DType::kUint8 || dtype == DType::kInt8; }

class Converter {
 public:
  explicit Converter(Model& model) : model_(model), graph_(*model.graph) {}

  std::vector<RewrittenNode> run() {
    struct Rule {
      std::string_view op_type;
      Result<Reason> (Converter::*rewrite)(Node&, RewrittenNode&);
    };
    static constexpr std::array kRules = {
        Rule{"Conv", &Converter::conv},        Rule{"MatMul", &Converter::matmul},
        Rule{"Gemm", &Converter::gemm},        Rule{"Add", &Converter::arithmetic},
        Rule{"Mul", &Converter::arithmetic},   Rule{"AveragePool", &Converter::unary},
        Rule{"Sigmoid", &Converter::unary},    Rule{"GlobalAveragePool", &Converter::unary},
        Rule{"LeakyRelu", &Converter::unary},  Rule{"Concat", &Converter::concat},
        Rule{"MaxPool", &Converter::movement}, Rule{"Reshape", &Converter::movement},
        Rule{"Flatten", &Converter::movement}, Rule{"Transpose", &Converter::movement},
        Rule{"Squeeze", &Converter::movement}, Rule{"Unsqueeze", &Converter::movement},
        Rule{"Slice", &Converter::movement},   Rule{"Resize", &Converter::movement},
    };
    std::vector<std::pair<Node*, const Rule*>> anchors;
    for (const auto& node : graph_.nodes()) {
      const auto rule = std::find_if(kRules.begin(), kRules.end(),
                                     [&](const Rule& candidate) { return node->is(candidate.op_type); });
      if (rule != kRules.end() && quantized_value(node->input(0))) anchors.emplace_back(node.get(), &*rule);
    }
    std::vector<RewrittenNode> report;
    for (const auto& [node, rule] : anchors) {
      RewrittenNode& row = report.emplace_back();
      row.node = node->label();
      row.op_type = node->op_type;
      auto reason = (this->*rule->rewrite)(*node, row);
      row.reason = reason ? *std::move(reason) : std::move(reason).error().message;
      if (!row.reason.empty()) row.became.clear();
    }
    return report;
  }

 private:
  /// The activations that a node reads, each with one scale, all of one dtype.
  struct Parts {
    std::vector<QuantizedValue> inputs;
    QuantizedResult result;
  };

  static Reason find_inputs(const Node& node, std::size_t count, Parts& parts) {
    for (std::size_t i = 0; i < count; ++i) {
      const auto value = quantized_value(node.input(i));
      if (!value) return "an input is not rounded";
      if (!value->per_tensor()) return "an input has more than one scale";
      if (!has_8_bits(value->dtype())) return "an input has no 8 bits";
      if (!parts.inputs.empty() && value->dtype() != parts.inputs.front().dtype())
        return "its inputs have several integer types";
      parts.inputs.push_back(*value);
    }
    return {};
  }

  static Reason find_result(Node& node, Parts& parts) {
    auto [result, reason] = quantized_result(node);
    if (!result) return reason;
    if (result->dtype() != parts.inputs.front().dtype()) return "its result has another integer type";
    parts.result = *result;
    return {};
  }

  static Reason find(Node& node, std::size_t count, Parts& parts) {
    Reason reason = find_inputs(node, count, parts);
    return reason.empty() ? find_result(node, parts) : reason;
  }

  static void append(std::vector<Value*>& inputs, const QuantizedValue& value) {
    inputs.insert(inputs.end(), {value.integers, value.scale, zero_point_of(value)});
  }

  /// Puts the operator in place of the node, the activation and the QuantizeLinear.
  Reason replace(Node& node, const QuantizedResult& result, const char* op_type, const char* domain,
                 std::vector<Value*> inputs, RewrittenNode& row) {
    Value& old = *result.quantize->output(0);
    Value& made = graph_.add_op(op_type, std::move(inputs), old.name() + "_made", &node);
    Node& by = *made.producer();
    by.domain = domain;
    by.attributes = std::move(node.attributes);
    node.attributes.clear();
    by.name = graph_.fresh_name(node.label() + "_quantized");
    made.type = old.type;
    graph_.replace_uses(old, made);
    graph_.erase(*result.quantize);
    if (result.activation != nullptr) graph_.erase(*result.activation);
    graph_.erase(node);
    if (*domain != '\0') model_.opsets.emplace(domain, 1);
    row.became = op_type;
    return {};
  }

  Result<Reason> unary(Node& node, RewrittenNode& row) {
    Parts parts;
    if (Reason reason = find(node, 1, parts); !reason.empty()) return reason;
    if (node.attributes.contains("dilations")) {
      const auto* dilations = node.attribute<std::vector<std::int64_t>>("dilations");
      if (std::any_of(dilations->begin(), dilations->end(), [](std::int64_t d) { return d != 1; }))
        return Reason("QLinearAveragePool has no dilations");
      node.attributes.erase("dilations");
    }
    std::vector<Value*> inputs;
    append(inputs, parts.inputs[0]);
    inputs.insert(inputs.end(), {parts.result.scale, parts.result.zero_point});
    const bool pool = node.is("AveragePool") || node.is("GlobalAveragePool");
    if (pool) node.attributes.emplace("channels_last", std::int64_t{0});
    return replace(node, parts.result, ("QLinear" + node.op_type).c_str(), kVendor, std::move(inputs), row);
  }

  Result<Reason> arithmetic(Node& node, RewrittenNode& row) {
    Parts parts;
    if (Reason reason = find(node, 2, parts); !reason.empty()) return reason;
    std::vector<Value*> inputs;
    for (const QuantizedValue& input : parts.inputs) append(inputs, input);
    inputs.insert(inputs.end(), {parts.result.scale, parts.result.zero_point});
    return replace(node, parts.result, ("QLinear" + node.op_type).c_str(), kVendor, std::move(inputs), row);
  }

  Result<Reason> concat(Node& node, RewrittenNode& row) {
    Parts parts;
    if (Reason reason = find(node, node.inputs().size(), parts); !reason.empty()) return reason;
    std::vector<Value*> inputs = {parts.result.scale, parts.result.zero_point};
    for (const QuantizedValue& input : parts.inputs) append(inputs, input);
    return replace(node, parts.result, "QLinearConcat", kVendor, std::move(inputs), row);
  }

  /// The node reads the integers, and its result is what QuantizeLinear made of it.
  Result<Reason> movement(Node& node, RewrittenNode& row) {
    if (node.is("MaxPool") && (node.outputs().size() > 1 || model_.opset() < kFirstOpsetWithInt8Pool))
      return Reason("a MaxPool of floats by its indices or version");
    if (node.is("Resize") && node.attribute_or<std::string>("mode", "nearest") != "nearest")
      return Reason("it interpolates between values");
    Parts parts;
    if (Reason reason = find(node, 1, parts); !reason.empty()) return reason;
    if (parts.result.activation != nullptr) return Reason("an activation stands behind it");
    if (!same_parameters(parts.inputs[0], parts.result)) return Reason("its result is rounded differently");
    Value& value = *node.output(0);
    value.type.dtype = parts.result.dtype();
    node.set_input(0, parts.inputs[0].integers);
    Node& quantize = *parts.result.quantize;
    quantize.truncate_inputs(0);
    graph_.replace_uses(*quantize.output(0), value);
    graph_.erase(quantize);
    row.became = node.op_type + " of integers";
    return Reason();
  }

  /// Stored int8 weights whose scales belong to `axis`.
  static Reason find_weights(const Node& node, std::int64_t axis, const Parts& parts,
                             std::optional<QuantizedValue>& weights) {
    weights = quantized_value(node.input(1));
    if (!weights || !has_8_bits(weights->dtype())) return "its weights are not stored in 8 bits";
    if (parts.inputs[0].dtype() == DType::kInt8 && weights->dtype() != DType::kInt8)
      return "its weights are unsigned, its input is signed";
    const Tensor* integers = constant_of(weights->integers);
    if (integers == nullptr) return {};
    const auto rank = static_cast<std::int64_t>(integers->shape().size());
    const auto found = weights->dequantize->attribute_or<std::int64_t>("axis", 1);
    if (!weights->per_tensor() && (found + rank) % rank != (axis + rank) % rank)
      return "its weights have scales along another axis";
    return {};
  }

  /// The bias as int32 in units of input scale·weight scale; null without one.
  Result<Reason> find_bias(const Node& node, const QuantizedValue& input, const QuantizedValue& weights,
                           Value*& bias) {
    bias = nullptr;
    if (node.input(2) == nullptr) return Reason();
    TARMAC_TRY(std::vector<float> scales, to_floats(*constant_of(weights.scale)));
    for (float& scale : scales) scale *= scale_number(*input.scale);
    if (const auto stored = quantized_value(node.input(2))) {
      TARMAC_TRY(const std::vector<float> found, to_floats(*constant_of(stored->scale)));
      if (stored->dtype() != DType::kInt32 || constant_of(stored->integers) == nullptr)
        return Reason("its bias is no stored int32");
      for (std::size_t i = 0; i < std::max(found.size(), scales.size()); ++i) {
        const float expected = scales[scales.size() == 1 ? 0 : i];
        if (found.size() != 1 && found.size() != scales.size() && scales.size() != 1)
          return Reason("its bias has other channels than its weights");
        if (std::fabs(found[found.size() == 1 ? 0 : i] - expected) > 1e-5F * expected)
          return Reason("its bias has another scale than its sums");
      }
      bias = stored->integers;
      return Reason();
    }
    const Tensor* floats = constant_of(node.input(2));
    if (floats == nullptr || floats->dtype() != DType::kFloat32 || floats->shape().size() != 1)
      return Reason("its bias is computed, or no row of floats");
    TARMAC_TRY(std::vector<float> values, to_floats(*floats));
    if (scales.size() != 1 && scales.size() != values.size())
      return Reason("its bias has other channels than its weights");
    std::vector<std::int32_t> rounded(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double q = std::nearbyint(static_cast<double>(values[i]) / scales[scales.size() == 1 ? 0 : i]);
      if (!(std::fabs(q) < 2147483647.0)) return Reason("its bias is too large for the scale of its sums");
      rounded[i] = static_cast<std::int32_t>(q);
    }
    bias = &graph_.add_initializer(graph_.fresh_name(node.input(2)->name() + "_int32"),
                                   Tensor::from(floats->shape(), rounded));
    return Reason();
  }

  Result<Reason> conv(Node& node, RewrittenNode& row) {
    Parts parts;
    std::optional<QuantizedValue> weights;
    if (Reason reason = find(node, 1, parts); !reason.empty()) return reason;
    if (Reason reason = find_weights(node, 0, parts, weights); !reason.empty()) return reason;
    Value* bias = nullptr;
    TARMAC_TRY(Reason reason, find_bias(node, parts.inputs[0], *weights, bias));
    if (!reason.empty()) return reason;
    std::vector<Value*> inputs;
    append(inputs, parts.inputs[0]);
    append(inputs, *weights);
    inputs.insert(inputs.end(), {parts.result.scale, parts.result.zero_point});
    if (bias != nullptr) inputs.push_back(bias);
    return replace(node, parts.result, "QLinearConv", "", std::move(inputs), row);
  }

  Result<Reason> matmul(Node& node, RewrittenNode& row) {
    Parts parts;
    std::optional<QuantizedValue> weights;
    if (Reason reason = find_inputs(node, 1, parts); !reason.empty()) return reason;
    if (Reason reason = find_weights(node, -1, parts, weights); !reason.empty()) return reason;
    const QuantizedValue& input = parts.inputs[0];
    if (Reason reason = find_result(node, parts); !reason.empty()) {
      if (constant_of(weights->integers) == nullptr) return reason;
      return float_result(node, "MatMulIntegerToFloat",
                          {input.integers, weights->integers, input.scale, weights->scale,
                           zero_point_of(input), zero_point_of(*weights)},
                          row);
    }
    std::vector<Value*> inputs;
    append(inputs, input);
    append(inputs, *weights);
    inputs.insert(inputs.end(), {parts.result.scale, parts.result.zero_point});
    return replace(node, parts.result, "QLinearMatMul", "", std::move(inputs), row);
  }

  Result<Reason> gemm(Node& node, RewrittenNode& row) {
    if (node.attribute_or<float>("alpha", 1.0F) != 1.0F || node.attribute_or<float>("beta", 1.0F) != 1.0F)
      return Reason("a Gemm with alpha or beta");
    Parts parts;
    std::optional<QuantizedValue> weights;
    const std::int64_t axis = node.attribute_or<std::int64_t>("transB", 0) != 0 ? 0 : 1;
    if (Reason reason = find_inputs(node, 1, parts); !reason.empty()) return reason;
    if (Reason reason = find_weights(node, axis, parts, weights); !reason.empty()) return reason;
    Value* bias = nullptr;
    TARMAC_TRY(Reason reason, find_bias(node, parts.inputs[0], *weights, bias));
    if (!reason.empty()) return reason;
    node.attributes.erase("beta");
    std::vector<Value*> inputs;
    append(inputs, parts.inputs[0]);
    append(inputs, *weights);
    inputs.push_back(bias);
    if (!find_result(node, parts).empty()) {
      if (bias == nullptr) inputs.pop_back();
      return float_result(node, "QGemm", inputs, row);
    }
    inputs.insert(inputs.end(), {parts.result.scale, parts.result.zero_point});
    return replace(node, parts.result, "QGemm", kVendor, std::move(inputs), row);
  }

  /// The node itself becomes an operator of integers with a float result.
  Reason float_result(Node& node, const char* op_type, const std::vector<Value*>& inputs,
                      RewrittenNode& row) {
    node.op_type = op_type;
    node.domain = kVendor;
    node.truncate_inputs(0);
    for (Value* input : inputs) node.add_input(input);
    model_.opsets.emplace(kVendor, 1);
    row.became = std::string(op_type) + " with a float result";
    return {};
  }

  Model& model_;
  Graph& graph_;
};

}  // namespace

std::string qoperator_obstacle(const std::string& target) {
  if (target == "onnxruntime") return {};
  if (target == "openvino") {
    return "OpenVINO has no reader for QGemm and QLinearGlobalAveragePool, and computes QLinearConv in "
           "float; "
           "leave out --format qoperator: it runs Q/DQ models in INT8";
  }
  return "the quantised operators are those of ONNX Runtime; leave out --format qoperator";
}

Result<std::vector<RewrittenNode>> to_qoperator(Model& model) {
  if (model.opset() < kFirstOpset) {
    return make_error(ErrorCode::kUnsupported, "the model is of opset " + std::to_string(model.opset()) +
                                                   ", QLinearConv came with 10");
  }
  std::vector<RewrittenNode> report = Converter(model).run();
  // A scale may come from a Constant node that stood before its QuantizeLinear only.
  model.graph->sort();
  PassContext context;
  TARMAC_CHECK_OK(eliminate_dead_code(model, context));
  return report;
}

}  // namespace tarmac

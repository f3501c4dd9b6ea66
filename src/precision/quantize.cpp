#include "precision/quantize.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "passes/passes.h"
#include "tensor/codec.h"

namespace tarmac {
namespace {

constexpr std::int64_t kFirstOpsetWithPerChannel = 13;
constexpr std::int64_t kFirstOpset = 10;

bool is_float(const Value* value) {
  return value != nullptr && value->type.is_tensor() && value->type.dtype == DType::kFloat32;
}

std::size_t rank(const Value* value) { return value->type.shape ? value->type.shape->size() : 0; }

/// A node with stored weights as its second input.
bool has_weights(const Node& node) {
  return node.is("Conv") || node.is("ConvTranspose") || node.is("Gemm") || node.is("MatMul");
}

/// The axis of the weights that counts output channels.
std::int64_t channel_axis(const Node& node) {
  if (node.is("Conv")) return 0;
  if (node.is("Gemm")) return node.attribute_or<std::int64_t>("transB", 0) != 0 ? 0 : 1;
  return 1;
}

/// Why a node with weights must stay in float; empty when it can be quantised.
std::string obstacle(const Node& node) {
  const Tensor* weights = constant_of(node.input(1));
  if (weights == nullptr) return "its second input is computed at run time";
  if (weights->dtype() != DType::kFloat32)
    return std::string("its weights are ") + to_string(weights->dtype());
  if (weights->count() == 0) return "its weights are empty";
  if (node.is("MatMul") && weights->shape().size() != 2) return "its weights are no matrix";
  if (node.is("ConvTranspose") && node.attribute_or<std::int64_t>("group", 1) != 1)
    return "a grouped transposed convolution";
  if (node.is("Gemm") &&
      (node.attribute_or<std::int64_t>("transA", 0) != 0 || node.attribute_or<float>("alpha", 1.0F) != 1.0F ||
       node.attribute_or<float>("beta", 1.0F) != 1.0F)) {
    return "a Gemm with alpha, beta or transA";
  }
  if (!is_float(node.input(0))) return "its input is not known to be float32";
  return {};
}

/// Both inputs are feature maps: the end of a residual branch.
bool is_residual_add(const Node& node) {
  return node.is("Add") && is_float(node.input(0)) && is_float(node.input(1)) &&
         constant_of(node.input(0)) == nullptr && constant_of(node.input(1)) == nullptr &&
         rank(node.input(0)) >= 3 && rank(node.input(0)) == rank(node.input(1));
}

bool is_average_pool(const Node& node) {
  return (node.is("AveragePool") || node.is("GlobalAveragePool")) && is_float(node.input(0));
}

struct Affine {
  float scale = 1;
  std::uint8_t zero_point = 0;
};

Result<Affine> activation_parameters(const std::string& name, const Ranges& ranges) {
  const auto it = ranges.find(name);
  if (it == ranges.end() || it->second.empty) {
    return make_error(ErrorCode::kInvalidInput, "no calibrated range for this value", name);
  }
  // Zero must be exact: padding and ReLU produce it.
  const double low = std::min(0.0, static_cast<double>(it->second.min));
  const double high = std::max(0.0, static_cast<double>(it->second.max));
  if (!std::isfinite(low) || !std::isfinite(high)) {
    return make_error(ErrorCode::kInvalidInput, "the calibrated range is not finite", name);
  }
  const auto scale = static_cast<float>((high - low) / 255.0);
  // All zero, or so narrow that the scale would be no normal number: any scale will do.
  if (scale < 1e-30F) return Affine{};
  return Affine{scale, static_cast<std::uint8_t>(std::clamp(std::nearbyint(-low / scale), 0.0, 255.0))};
}

class Quantizer {
 public:
  Quantizer(Model& model, const Ranges* ranges)
      : graph_(*model.graph), ranges_(ranges), per_channel_(model.opset() >= kFirstOpsetWithPerChannel) {}

  Result<QuantizeReport> run() {
    std::vector<Node*> nodes;
    for (const auto& node : graph_.nodes()) nodes.push_back(node.get());
    for (Node* node : nodes) {
      if (has_weights(*node)) {
        const std::string reason = obstacle(*node);
        report_.nodes.push_back({node->label(), node->op_type, reason.empty(), reason});
        if (!reason.empty()) continue;
        TARMAC_CHECK_OK(quantize_node(*node));
      } else if (ranges_ != nullptr && (is_residual_add(*node) || is_average_pool(*node))) {
        report_.nodes.push_back({node->label(), node->op_type, true, {}});
        for (Value* input : std::vector<Value*>(node->inputs())) TARMAC_CHECK_OK(quantize_activation(*input));
      }
    }
    return std::move(report_);
  }

 private:
  Status quantize_node(Node& node) {
    if (ranges_ != nullptr) TARMAC_CHECK_OK(quantize_activation(*node.input(0)));
    TARMAC_TRY(const std::vector<float> weight_scales, quantize_weights_of(node));
    if (ranges_ == nullptr || node.input(2) == nullptr) return {};
    return quantize_bias(node, weight_scales);
  }

  /// Puts QuantizeLinear and DequantizeLinear behind the value, once; every reader then reads the rounded
  /// values.
  Status quantize_activation(Value& value) {
    if (scales_.contains(&value)) return {};
    TARMAC_TRY(const Affine affine, activation_parameters(value.name(), *ranges_));
    Value& scale = graph_.add_initializer(graph_.fresh_name(value.name() + "_scale"),
                                          Tensor::from<float>({}, std::vector<float>{affine.scale}));
    Value& zero =
        graph_.add_initializer(graph_.fresh_name(value.name() + "_zero_point"),
                               Tensor::from<std::uint8_t>({}, std::vector<std::uint8_t>{affine.zero_point}));
    const std::vector<Use> readers = value.uses();
    Node* first = value.producer() == nullptr ? graph_.nodes().front().get() : value.producer()->next();
    Value& quantized =
        graph_.add_op("QuantizeLinear", {&value, &scale, &zero}, value.name() + "_quantized", first);
    Value& rounded =
        graph_.add_op("DequantizeLinear", {&quantized, &scale, &zero}, value.name() + "_dequantized", first);
    quantized.producer()->name = graph_.fresh_name(value.name() + "_QuantizeLinear");
    rounded.producer()->name = graph_.fresh_name(value.name() + "_DequantizeLinear");
    quantized.type = value.type;
    quantized.type.dtype = DType::kUint8;
    rounded.type = value.type;
    for (const Use& use : readers) use.node->set_input(use.index, &rounded);
    scales_[&value] = scales_[&rounded] = affine.scale;
    return {};
  }

  /// Stores the weights as int8 behind DequantizeLinear; the scale of each output channel (one if per
  /// tensor).
  Result<std::vector<float>> quantize_weights_of(Node& node) {
    Value& original = *node.input(1);
    const std::int64_t axis = channel_axis(node);
    const auto key = std::make_pair(&original, axis);
    auto done = weights_.find(key);
    if (done == weights_.end()) {
      TARMAC_TRY(done, store_weights(node, original, axis));
    }
    node.set_input(1, done->second.value);
    return done->second.scales;
  }

  struct StoredWeights {
    Value* value = nullptr;
    std::vector<float> scales;
  };
  using WeightMap = std::map<std::pair<Value*, std::int64_t>, StoredWeights>;

  Result<WeightMap::iterator> store_weights(Node& node, Value& original, std::int64_t axis) {
    const Tensor& tensor = *constant_of(&original);
    TARMAC_TRY(const std::vector<float> values, to_floats(tensor));
    const Shape& shape = tensor.shape();
    std::size_t inner = 1;
    for (auto i = static_cast<std::size_t>(axis) + 1; i < shape.size(); ++i)
      inner *= static_cast<std::size_t>(shape[i]);
    const auto channels =
        per_channel_ ? static_cast<std::size_t>(shape[static_cast<std::size_t>(axis)]) : std::size_t{1};
    const auto channel_of = [&](std::size_t i) { return per_channel_ ? i / inner % channels : 0; };

    std::vector<float> scales(channels, 0.0F);
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (!std::isfinite(values[i]))
        return make_error(ErrorCode::kInvalidInput, "a weight is NaN or infinite", original.name());
      scales[channel_of(i)] = std::max(scales[channel_of(i)], std::fabs(values[i]));
    }
    for (float& scale : scales) scale = scale < 1e-30F ? 1.0F : scale / 127.0F;
    std::vector<std::int8_t> rounded(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      rounded[i] = static_cast<std::int8_t>(
          std::clamp(std::nearbyint(values[i] / scales[channel_of(i)]), -127.0F, 127.0F));
    }
    report_.float_weight_bytes += tensor.bytes().size();
    report_.int8_weight_bytes += rounded.size();

    Value& stored =
        graph_.add_initializer(graph_.fresh_name(original.name() + "_int8"), Tensor::from(shape, rounded));
    Value& dequantized = dequantize(stored, scales, axis, original.name(), node);
    return weights_.emplace(std::make_pair(&original, axis), StoredWeights{&dequantized, std::move(scales)})
        .first;
  }

  Value& dequantize(Value& stored, const std::vector<float>& scales, std::int64_t axis,
                    const std::string& base, Node& reader) {
    const Shape scale_shape = per_channel_ ? Shape{static_cast<std::int64_t>(scales.size())} : Shape{};
    Value& scale =
        graph_.add_initializer(graph_.fresh_name(base + "_scale"), Tensor::from(scale_shape, scales));
    std::vector<Value*> inputs = {&stored, &scale};
    // ONNX Runtime fuses only weights whose zero point is written out; a bias needs none.
    if (stored.initializer()->dtype() == DType::kInt8) {
      inputs.push_back(
          &graph_.add_initializer(graph_.fresh_name(base + "_zero_point"),
                                  Tensor::from(scale_shape, std::vector<std::int8_t>(scales.size(), 0))));
    }
    Value& value = graph_.add_op("DequantizeLinear", std::move(inputs), base + "_dequantized", &reader);
    value.producer()->name = graph_.fresh_name(base + "_DequantizeLinear");
    // Version 10 has no axis.
    if (per_channel_) value.producer()->attributes.emplace("axis", axis);
    value.type = Type::tensor(DType::kFloat32, stored.initializer()->shape());
    return value;
  }

  Status quantize_bias(Node& node, const std::vector<float>& weight_scales) {
    Value& original = *node.input(2);
    const Tensor* bias = constant_of(&original);
    if (bias == nullptr || bias->dtype() != DType::kFloat32 || bias->shape().size() != 1) return {};
    const float input_scale = scales_.at(node.input(0));
    TARMAC_TRY(const std::vector<float> values, to_floats(*bias));
    if (per_channel_ && values.size() != weight_scales.size()) return {};
    std::vector<float> scales(weight_scales);
    for (float& scale : scales) scale *= input_scale;
    std::vector<std::int32_t> rounded(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double q = std::nearbyint(static_cast<double>(values[i]) / scales[per_channel_ ? i : 0]);
      // A channel whose weights are almost zero has a scale too fine for its bias: that one stays in float.
      if (!(std::fabs(q) < 2147483647.0)) return {};
      rounded[i] = static_cast<std::int32_t>(q);
    }
    Value& stored = graph_.add_initializer(graph_.fresh_name(original.name() + "_int32"),
                                           Tensor::from(bias->shape(), rounded));
    node.set_input(2, &dequantize(stored, scales, 0, original.name(), node));
    return {};
  }

  Graph& graph_;
  const Ranges* ranges_;
  bool per_channel_;
  QuantizeReport report_;
  std::map<const Value*, float> scales_;  // of quantised activations, before and after rounding
  WeightMap weights_;
};

Status check_opset(const Model& model) {
  if (model.opset() >= kFirstOpset) return {};
  return make_error(ErrorCode::kUnsupported,
                    "the model is of opset " + std::to_string(model.opset()) +
                        ", quantisation needs 10 (13 for per-channel weights); export it again "
                        "with a newer opset");
}

/// Runs the rewrite, and removes the float weights that nothing reads any more.
Result<QuantizeReport> quantize(Model& model, const Ranges* ranges) {
  TARMAC_CHECK_OK(check_opset(model));
  TARMAC_TRY(QuantizeReport report, Quantizer(model, ranges).run());
  PassContext context;
  TARMAC_CHECK_OK(eliminate_dead_code(model, context));
  return report;
}

}  // namespace

std::vector<std::string> activations_to_quantize(const Model& model) {
  std::vector<std::string> names;
  std::set<const Value*> seen;
  const auto add = [&](const Value* value) {
    if (seen.insert(value).second) names.push_back(value->name());
  };
  for (const auto& node : model.graph->nodes()) {
    if (has_weights(*node) && obstacle(*node).empty()) {
      add(node->input(0));
    } else if (is_residual_add(*node)) {
      add(node->input(0));
      add(node->input(1));
    } else if (is_average_pool(*node)) {
      add(node->input(0));
    }
  }
  return names;
}

Result<QuantizeReport> quantize_static(Model& model, const Ranges& ranges) {
  return quantize(model, &ranges);
}

Result<QuantizeReport> quantize_weights(Model& model) { return quantize(model, nullptr); }

}  // namespace tarmac

#include "precision/int8_weights.h"

#include <algorithm>
#include <cmath>

#include "tensor/codec.h"

namespace tarmac {
namespace {

constexpr std::int64_t kFirstOpsetWithPerChannel = 13;
// Below it a scale is no normal number; all its weights are zero to any precision that counts.
constexpr float kLeast = 1e-30F;

}  // namespace

std::int64_t channel_axis(const Node& node) {
  if (node.is("Conv")) return 0;
  if (node.is("Gemm")) return node.attribute_or<std::int64_t>("transB", 0) != 0 ? 0 : 1;
  return 1;
}

Int8Weights::Int8Weights(Graph& graph, std::int64_t opset, int largest)
    : graph_(graph),
      per_channel_(opset >= kFirstOpsetWithPerChannel),
      largest_(static_cast<float>(largest)) {}

Result<std::vector<float>> Int8Weights::store(Node& node) {
  Value& original = *node.input(1);
  const std::int64_t axis = channel_axis(node);
  auto done = stored_.find({&original, axis});
  if (done == stored_.end()) {
    TARMAC_TRY(Stored stored, round(node, original, axis));
    done = stored_.emplace(std::make_pair(&original, axis), std::move(stored)).first;
  }
  node.set_input(1, done->second.value);
  return done->second.scales;
}

Result<Int8Weights::Stored> Int8Weights::round(Node& node, Value& original, std::int64_t axis) {
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
  for (float& scale : scales) scale = scale < kLeast ? 1.0F : scale / largest_;
  std::vector<std::int8_t> rounded(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    rounded[i] = static_cast<std::int8_t>(
        std::clamp(std::nearbyint(values[i] / scales[channel_of(i)]), -largest_, largest_));
  }
  float_bytes_ += tensor.bytes().size();
  int8_bytes_ += rounded.size();
  Value& stored =
      graph_.add_initializer(graph_.fresh_name(original.name() + "_int8"), Tensor::from(shape, rounded));
  Value& value = dequantize(stored, scales, axis, original.name(), node);
  return Stored{&value, std::move(scales)};
}

Value& Int8Weights::dequantize(Value& stored, const std::vector<float>& scales, std::int64_t axis,
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
  value.producer()->name = value.name();
  // Version 10 has no axis.
  if (per_channel_) value.producer()->attributes.emplace("axis", axis);
  value.type = Type::tensor(DType::kFloat32, stored.initializer()->shape());
  return value;
}

Status Int8Weights::store_bias(Node& node, float input_scale, const std::vector<float>& weight_scales) {
  Value& original = *node.input(2);
  const Tensor* bias = constant_of(&original);
  if (bias == nullptr || bias->dtype() != DType::kFloat32 || bias->shape().size() != 1) return {};
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

}  // namespace tarmac

#include "precision/int8_weights.h"

#include <algorithm>
#include <cmath>

#include "precision/quantize.h"
#include "precision/round_weights.h"
#include "precision/stored_matrix.h"
#include "tensor/codec.h"

namespace tarmac {
namespace {

// Below it a scale is no normal number; all its weights are zero to any precision that counts.
constexpr float kLeast = 1e-30F;

std::size_t product(const Shape& shape, std::size_t begin, std::size_t end) {
  std::size_t product = 1;
  for (std::size_t i = begin; i < end; ++i) product *= static_cast<std::size_t>(shape[i]);
  return product;
}

}  // namespace

std::int64_t channel_axis(const Node& node) {
  if (node.is("Conv")) return 0;
  if (node.is("Gemm")) return node.attribute_or<std::int64_t>("transB", 0) != 0 ? 0 : 1;
  return 1;
}

Int8Weights::Int8Weights(Graph& graph, std::int64_t opset, int largest)
    : graph_(graph), per_channel_(opset >= kOpsetForChannels), largest_(largest) {}

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
  TARMAC_CHECK_OK(check_finite(values, original.name()));
  const Shape& shape = tensor.shape();
  const auto at = static_cast<std::size_t>(axis);
  const auto count = static_cast<std::size_t>(shape[at]);
  const std::size_t outer = product(shape, 0, at);
  const std::size_t inner = product(shape, at + 1, shape.size());
  const std::size_t kernel = product(shape, std::min<std::size_t>(2, shape.size()), shape.size());

  std::vector<float> scales(per_channel_ ? count : 1, 0.0F);
  for (std::size_t i = 0; i < values.size(); ++i) {
    float& largest = scales[per_channel_ ? i / inner % count : 0];
    largest = std::max(largest, std::fabs(values[i]));
  }
  for (float& scale : scales) scale = scale < kLeast ? 1.0F : scale / static_cast<float>(largest_);

  std::vector<std::int8_t> rounded(values.size());
  std::vector<float> channel(outer * inner);
  for (std::size_t c = 0; c < count; ++c) {
    const float scale = scales[per_channel_ ? c : 0];
    const auto index = [&](std::size_t i) { return (i / inner * count + c) * inner + i % inner; };
    for (std::size_t i = 0; i < channel.size(); ++i) channel[i] = values[index(i)] / scale;
    const std::vector<std::int8_t> integers = round_channel(channel, kernel, largest_);
    for (std::size_t i = 0; i < channel.size(); ++i) rounded[index(i)] = integers[i];
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

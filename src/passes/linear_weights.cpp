#include "passes/linear_weights.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/file.h"
#include "passes/rewrite.h"
#include "tensor/codec.h"

namespace tarmac {
namespace {

// One type of weights at a time: how an element is read and written, the bits that are all set in an infinity
// or NaN, and how far off results may be in all (root mean square, relative) before too much of them fell
// below the normal range; 0: not looked at, since weights do not come near that range.
struct Float32 {
  using Stored = float;
  using Bits = std::uint32_t;
  static constexpr Bits kExponent = 0x7f800000;
  static constexpr double kTolerance = 0.0;
  static double load(float value) { return static_cast<double>(value); }
  static float store(double value) { return static_cast<float>(value); }
};
struct Float64 {
  using Stored = double;
  using Bits = std::uint64_t;
  static constexpr Bits kExponent = 0x7ff0000000000000;
  static constexpr double kTolerance = 0.0;
  static double load(double value) { return value; }
  static double store(double value) { return value; }
};
struct Half {
  using Stored = std::uint16_t;
  using Bits = std::uint16_t;
  static constexpr Bits kExponent = 0x7c00;
  static constexpr double kTolerance = 0x1p-10;
  static double load(std::uint16_t bits) { return static_cast<double>(half_to_float(bits)); }
  static std::uint16_t store(double value) { return float_to_half(static_cast<float>(value)); }
};
struct BFloat16 {
  using Stored = std::uint16_t;
  using Bits = std::uint16_t;
  static constexpr Bits kExponent = 0x7f80;
  static constexpr double kTolerance = 0x1p-7;
  static double load(std::uint16_t bits) { return static_cast<double>(bfloat16_to_float(bits)); }
  static std::uint16_t store(double value) { return float_to_bfloat16(static_cast<float>(value)); }
};

/// Squares of the exact results and of what rounding changed, where that is looked at.
struct Loss {
  bool finite = true;
  double total = 0.0;
  double error = 0.0;
};

/// `count` elements times *factors, factors[step], factors[2·step], …
template <typename Format>
void scale_run(const std::byte* in, std::byte* out, std::size_t count, const double* factors,
               std::size_t step, Loss& loss) {
  using Stored = typename Format::Stored;
  unsigned beyond = 0;  // not a sum of floats, which could not be taken several at a time
  for (std::size_t i = 0; i < count; ++i) {
    Stored element;
    std::memcpy(&element, in + i * sizeof(Stored), sizeof(Stored));  // mapped weights may be unaligned
    const double exact = Format::load(element) * factors[i * step];
    element = Format::store(exact);
    const auto bits = std::bit_cast<typename Format::Bits>(element);
    beyond |= static_cast<unsigned>((bits & Format::kExponent) == Format::kExponent);
    std::memcpy(out + i * sizeof(Stored), &element, sizeof(Stored));
    if constexpr (Format::kTolerance > 0.0) {
      const double difference = Format::load(element) - exact;
      loss.total += exact * exact;
      loss.error += difference * difference;
    }
  }
  loss.finite = loss.finite && beyond == 0;
}

template <typename Format>
bool scale_all(const Tensor& weights, const ChannelLayout& layout, const std::vector<double>& factors,
               Tensor& result) {
  const std::size_t width = sizeof(typename Format::Stored);
  const std::byte* in = weights.bytes().data();
  std::byte* out = result.mutable_bytes().data();
  Loss loss;
  for (std::size_t group = 0; group < layout.groups; ++group) {
    const double* group_factors = factors.data() + group * layout.channels;
    for (std::size_t row = 0; row < layout.rows; ++row) {
      // Runs are as long as can be: along the kernel, or along the channels where there is none.
      const bool along_channels = layout.inner == 1;
      const std::size_t runs = along_channels ? 1 : layout.channels;
      const std::size_t length = along_channels ? layout.channels : layout.inner;
      for (std::size_t run = 0; run < runs; ++run) {
        scale_run<Format>(in, out, length, group_factors + run, along_channels ? 1 : 0, loss);
        in += length * width;
        out += length * width;
      }
    }
  }
  return loss.finite && loss.error <= loss.total * Format::kTolerance * Format::kTolerance;
}

template <typename Visit>
bool with_format(DType dtype, const Visit& visit) {
  switch (dtype) {
    case DType::kFloat32:
      return visit(Float32{});
    case DType::kFloat64:
      return visit(Float64{});
    case DType::kFloat16:
      return visit(Half{});
    case DType::kBFloat16:
      return visit(BFloat16{});
    default:
      return false;
  }
}

bool all_equal(const std::vector<double>& values, double expected) {
  return std::all_of(values.begin(), values.end(), [&](double value) { return value == expected; });
}

bool decline(const Node& folded, const LinearNode& linear, PassContext& context) {
  context.decline(folded, "not folded into " + linear.node->op_type + " '" + linear.node->label() +
                              "': its weights would leave the range or precision of " +
                              to_string(linear.node->input(1)->type.dtype));
  return false;
}

/// Σ over kernel and input channels of W·shift, per output channel.
template <typename Format>
std::vector<double> weighted_sums(const Tensor& weights, const ChannelLayout& inputs,
                                  const std::vector<double>& shift) {
  using Stored = typename Format::Stored;
  std::vector<double> sums(inputs.groups * inputs.rows, 0.0);
  const std::byte* in = weights.bytes().data();
  for (std::size_t out = 0; out < sums.size(); ++out) {
    const double* group_shift = shift.data() + out / inputs.rows * inputs.channels;
    for (std::size_t channel = 0; channel < inputs.channels; ++channel) {
      double sum = 0.0;
      for (std::size_t i = 0; i < inputs.inner; ++i, in += sizeof(Stored)) {
        Stored element;
        std::memcpy(&element, in, sizeof(Stored));
        sum += Format::load(element);
      }
      sums[out] += sum * group_shift[channel];
    }
  }
  return sums;
}

/// The bias as it takes effect, one number per output channel. Only for linear_node().
Result<std::vector<double>> effective_bias(const LinearNode& linear) {
  const Tensor* bias = constant_of(linear.node->input(2));
  if (bias == nullptr) return std::vector<double>(linear.channels, 0.0);
  TARMAC_TRY(std::vector<double> values, to_doubles(*bias));
  if (values.size() == 1) values.resize(linear.channels, values[0]);
  if (linear.node->op_type == "Gemm") {
    const auto beta = static_cast<double>(linear.node->attribute_or<float>("beta", 1.0F));
    for (double& value : values) value *= beta;
  }
  return values;
}

/// Replaces weights (unless empty) and bias; the old ones are let go at once, since weights may be large.
void set_weights(const LinearNode& linear, Tensor weights, std::optional<Tensor> bias) {
  Node& node = *linear.node;
  Graph& graph = node.graph();
  if (!weights.empty()) {
    const std::string name = graph.fresh_name(node.input(1)->name() + "_scaled");
    replace_input(node, 1, &graph.add_initializer(name, std::move(weights)));
  }
  if (!bias) return;
  if (node.op_type == "MatMul") node.op_type = "Gemm";
  node.attributes.erase("beta");
  replace_input(node, 2, &graph.add_initializer(graph.fresh_name(node.label() + "_bias"), *std::move(bias)));
}

/// The bias as a tensor; nullopt when it is beyond the dtype's range.
Result<std::optional<Tensor>> bias_tensor(DType dtype, const std::vector<double>& bias) {
  TARMAC_TRY(Tensor tensor, from_doubles(dtype, {static_cast<std::int64_t>(bias.size())}, bias));
  TARMAC_TRY(const auto stored, to_doubles(tensor));
  const bool finite = std::all_of(stored.begin(), stored.end(), [](double b) { return std::isfinite(b); });
  return finite ? std::optional(std::move(tensor)) : std::nullopt;
}

/// W scaled by `scale` per channel of `layout`, and the new bias; empty weights where nothing is scaled.
Result<bool> apply(const LinearNode& linear, const ChannelLayout& layout, const std::vector<double>& scale,
                   const std::vector<double>& bias, const Node& folded, PassContext& context) {
  const Tensor& weights = *constant_of(linear.node->input(1));
  std::optional<Tensor> new_bias;
  if (linear.node->input(2) != nullptr || !all_equal(bias, 0.0)) {
    TARMAC_TRY(new_bias, bias_tensor(weights.dtype(), bias));
    if (!new_bias) return decline(folded, linear, context);
  }
  Tensor scaled;
  if (!all_equal(scale, 1.0)) {
    TARMAC_TRY(scaled, Tensor::allocate(weights.dtype(), weights.shape()));
    const bool precise = with_format(weights.dtype(), [&](auto format) {
      return scale_all<decltype(format)>(weights, layout, scale, scaled);
    });
    release_pages(weights.bytes());
    if (!precise) return decline(folded, linear, context);
  }
  set_weights(linear, std::move(scaled), std::move(new_bias));
  return true;
}

bool is_bias(const Tensor* bias, const LinearNode& linear) {
  if (bias == nullptr) return false;
  const auto count = static_cast<std::size_t>(bias->count());
  const bool is_row = count == linear.channels && !bias->shape().empty() &&
                      static_cast<std::size_t>(bias->shape().back()) == count;
  return is_row || (count == 1 && linear.node->op_type == "Gemm");
}

}  // namespace

std::optional<LinearNode> linear_node(Node* node) {
  if (node == nullptr || !node->domain.empty()) return std::nullopt;
  const std::string& op = node->op_type;
  const bool conv = op == "Conv";
  const bool transposed = op == "ConvTranspose";
  const bool product = op == "MatMul";
  if (!conv && !transposed && !product && op != "Gemm") return std::nullopt;
  const Tensor* weights = constant_of(node->input(1));
  if (weights == nullptr || weights->count() == 0 ||
      !with_format(weights->dtype(), [](auto) { return true; }))
    return std::nullopt;
  const Shape& shape = weights->shape();
  const auto size = [&](std::size_t i) { return static_cast<std::size_t>(shape[i]); };
  LinearNode linear{node, 0, 1, shape.size(), {}};
  if (conv || transposed) {
    if (shape.size() < 3) return std::nullopt;
    const auto groups =
        static_cast<std::size_t>(std::max<std::int64_t>(node->attribute_or<std::int64_t>("group", 1), 1));
    if (size(0) % groups != 0) return std::nullopt;
    const std::size_t kernel = static_cast<std::size_t>(weights->count()) / (size(0) * size(1));
    // Conv [M, C/g, k…]; ConvTranspose [C, M/g, k…].
    linear.layout = conv ? ChannelLayout{1, 1, size(0), size(1) * kernel}
                         : ChannelLayout{groups, size(0) / groups, size(1), kernel};
    linear.channels = conv ? size(0) : groups * size(1);
  } else {
    if (shape.size() != 2 || rank_of(node->input(0)) != 2U) return std::nullopt;
    const bool columns_first = !product && node->attribute_or<std::int64_t>("transB", 0) != 0;
    linear.channels = size(columns_first ? 0 : 1);
    linear.layout =
        columns_first ? ChannelLayout{1, 1, size(0), size(1)} : ChannelLayout{1, size(0), size(1), 1};
  }
  if (node->input(2) != nullptr && !is_bias(constant_of(node->input(2)), linear)) return std::nullopt;
  return linear;
}

Result<bool> fold_behind(const LinearNode& linear, const ChannelAffine& after, const Node& folded,
                         PassContext& context) {
  TARMAC_TRY(std::vector<double> bias, effective_bias(linear));
  for (std::size_t c = 0; c < bias.size(); ++c) bias[c] = bias[c] * after.scale[c] + after.shift[c];
  return apply(linear, linear.layout, after.scale, bias, folded, context);
}

Result<bool> fold_in_front(const LinearNode& conv, const ChannelAffine& before, const Node& folded,
                           PassContext& context) {
  const Tensor& weights = *constant_of(conv.node->input(1));
  const auto inputs = static_cast<std::size_t>(weights.shape()[1]);
  const std::size_t groups = before.scale.size() / inputs;
  const ChannelLayout layout{groups, conv.channels / groups, inputs,
                             static_cast<std::size_t>(weights.count()) / (conv.channels * inputs)};
  TARMAC_TRY(std::vector<double> bias, effective_bias(conv));
  if (!all_equal(before.shift, 0.0)) {
    with_format(weights.dtype(), [&](auto format) {
      const auto sums = weighted_sums<decltype(format)>(weights, layout, before.shift);
      for (std::size_t c = 0; c < bias.size(); ++c) bias[c] += sums[c];
      return true;
    });
    release_pages(weights.bytes());
  }
  return apply(conv, layout, before.scale, bias, folded, context);
}

bool is_unpadded(const Node& conv) {
  const auto auto_pad = conv.attribute_or<std::string>("auto_pad", "NOTSET");
  if (auto_pad != "NOTSET") return auto_pad == "VALID";
  const auto* pads = conv.attribute<std::vector<std::int64_t>>("pads");
  return pads == nullptr ||
         std::all_of(pads->begin(), pads->end(), [](std::int64_t size) { return size == 0; });
}

std::optional<std::vector<double>> per_channel(const Tensor& tensor, std::size_t rank,
                                               std::size_t channel_axis, std::size_t channels) {
  const Shape& shape = tensor.shape();
  if (shape.size() > rank || tensor.count() == 0) return std::nullopt;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const bool is_channel = rank - shape.size() + i == channel_axis;
    if (shape[i] != 1 && !(is_channel && static_cast<std::size_t>(shape[i]) == channels)) return std::nullopt;
  }
  auto values = to_doubles(tensor);
  if (!values) return std::nullopt;
  if (values->size() == 1) values->resize(channels, (*values)[0]);
  return *std::move(values);
}

}  // namespace tarmac

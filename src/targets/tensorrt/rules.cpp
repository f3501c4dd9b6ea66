#include "targets/tensorrt/rules.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "targets/tensorrt/limits.h"

namespace tarmac::tensorrt {
namespace {

/// Standard operators that the parser has, in alphabetical order. [parser], and [table] for those without a
/// case of their own.
constexpr std::string_view kOperators[] = {
    "Abs",
    "Acos",
    "Acosh",
    "Add",
    "And",
    "ArgMax",
    "ArgMin",
    "Asin",
    "Asinh",
    "Atan",
    "Atanh",
    "Attention",
    "AveragePool",
    "BatchNormalization",
    "BlackmanWindow",
    "Cast",
    "CastLike",
    "Ceil",
    "Celu",
    "Clip",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "Conv",
    "ConvTranspose",
    "Cos",
    "Cosh",
    "CumSum",
    "DepthToSpace",
    "DequantizeLinear",
    "Div",
    "Dropout",
    "Einsum",
    "Elu",
    "Equal",
    "Erf",
    "Exp",
    "Expand",
    "EyeLike",
    "Flatten",
    "Floor",
    "GRU",
    "Gather",
    "GatherElements",
    "GatherND",
    "Gelu",
    "Gemm",
    "GlobalAveragePool",
    "GlobalLpPool",
    "GlobalMaxPool",
    "Greater",
    "GreaterOrEqual",
    "GridSample",
    "GroupNormalization",
    "HammingWindow",
    "HannWindow",
    "HardSigmoid",
    "HardSwish",
    "Hardmax",
    "Identity",
    "If",
    "InstanceNormalization",
    "IsInf",
    "IsNaN",
    "LRN",
    "LSTM",
    "LayerNormalization",
    "LeakyRelu",
    "Less",
    "LessOrEqual",
    "Log",
    "LogSoftmax",
    "Loop",
    "LpNormalization",
    "LpPool",
    "MatMul",
    "Max",
    "MaxPool",
    "Mean",
    "MeanVarianceNormalization",
    "Min",
    "Mish",
    "Mod",
    "Mul",
    "Neg",
    "NonMaxSuppression",
    "Not",
    "OneHot",
    "Or",
    "PRelu",
    "Pad",
    "Pow",
    "QuantizeLinear",
    "RMSNormalization",
    "RNN",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
    "Range",
    "Reciprocal",
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "ReduceSumSquare",
    "Relu",
    "Reshape",
    "Resize",
    "ReverseSequence",
    "RotaryEmbedding",
    "Round",
    "STFT",
    "Scan",
    "Scatter",
    "ScatterElements",
    "ScatterND",
    "Selu",
    "Shape",
    "Shrink",
    "Sigmoid",
    "Sign",
    "Sin",
    "Sinh",
    "Size",
    "Slice",
    "Softmax",
    "Softplus",
    "Softsign",
    "SpaceToDepth",
    "Split",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Sum",
    "Swish",
    "Tan",
    "Tanh",
    "TensorScatter",
    "ThresholdedRelu",
    "Tile",
    "TopK",
    "Transpose",
    "Trilu",
    "Unsqueeze",
    "Upsample",
    "Where",
    "Xor",
};

/// Plugins that TensorRT's own library brings and TensorRT-RTX's does not. [table], [parser]
constexpr std::string_view kPluginOperators[] = {"DeformConv", "NonZero", "RoiAlign"};

/// What reads uint8; to all others it is a type of the model's inputs and outputs only. [parser]
constexpr std::string_view kReadUint8[] = {
    "Cast", "CastLike", "DequantizeLinear", "Equal", "Identity", "QuantizeLinear", "Shape", "Size"};

constexpr const char* kRewrite =
    "write it with operators that TensorRT has (tarmac optimize does for many), or keep it on another target";

template <std::size_t N>
bool contains(const std::string_view (&names)[N], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

/// Float64 is computed as float32; 8-bit floats and 4-bit types come from quantisation only.
bool has_type(DType dtype) {
  switch (dtype) {
    case DType::kUndefined:  // not inferred
    case DType::kFloat32:
    case DType::kFloat64:
    case DType::kFloat16:
    case DType::kBFloat16:
    case DType::kFloat8E4M3FN:
    case DType::kFloat4E2M1:
    case DType::kInt4:
    case DType::kInt8:
    case DType::kUint8:
    case DType::kInt32:
    case DType::kInt64:
    case DType::kBool:
      return true;
    default:
      return false;
  }
}

std::optional<Refusal> find_type(const Value* value, DType dtype) {
  if (value == nullptr) return std::nullopt;
  if (!value->type.is_tensor() && value->type.kind != Type::Kind::kNone && constant_of(value) == nullptr) {
    return Refusal{"'" + value->name() + "' is no tensor: TensorRT has no sequences, optionals or maps",
                   "keep such values out of the deployed graph"};
  }
  if (has_type(dtype)) return std::nullopt;
  return Refusal{"'" + value->name() + "' is " + to_string(dtype) + ", which TensorRT has not",
                 "cast it to float32, float16, bfloat16, int32, int64 or bool"};
}

std::optional<Refusal> find_types(const IssueQuery& query) {
  for (std::size_t i = 0; i < query.node.inputs().size(); ++i) {
    if (auto found = find_type(query.node.input(i), query.input_dtype(i))) return found;
  }
  if (query.input_dtype(0) == DType::kUint8 && !contains(kReadUint8, query.node.op_type)) {
    return Refusal{
        "it reads uint8, which TensorRT has at the inputs and outputs of a model only",
        "cast to float32 or int32 before it, as tarmac optimize --target tensorrt does where elements "
        "are only moved"};
  }
  for (std::size_t i = 0; i < query.node.outputs().size(); ++i) {
    if (auto found = find_type(query.node.output(i), query.output_dtype(i))) return found;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Refusal> find_refusal(const Model& model, const IssueQuery& query) {
  const Node& node = query.node;
  if (model.find_function(node) != nullptr) return std::nullopt;  // its body is judged
  if (!node.domain.empty()) {
    return Refusal{"TensorRT's parser has no operator of the domain " + node.domain,
                   "bring a plugin of this name, or leave it in its ONNX form"};
  }
  if (contains(kPluginOperators, node.op_type)) {
    return Refusal{"it is a plugin of TensorRT, which TensorRT-RTX does not bring",
                   "build for TensorRT, or write it with other operators"};
  }
  if (!contains(kOperators, node.op_type)) return Refusal{"TensorRT's parser does not have it", kRewrite};
  if (auto found = find_types(query)) return found;
  if (const KnownIssue* limit = find_issue(limits(), query)) return Refusal{limit->reason, limit->remedy};
  return std::nullopt;
}

}  // namespace tarmac::tensorrt

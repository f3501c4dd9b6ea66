#include "targets/tensorrt/limits.h"

#include <algorithm>
#include <numeric>

namespace tarmac::tensorrt {
namespace {

/// Given, and not known before the model runs.
bool computed(const IssueQuery& query, std::size_t i) { return query.has_input(i) && !query.constant(i); }

template <std::size_t I>
bool computes(const IssueQuery& query) {
  return computed(query, I);
}

bool has_further_outputs(const IssueQuery& query) {
  for (std::size_t i = 1; i < query.node.outputs().size(); ++i) {
    if (query.has_output(i)) return true;
  }
  return false;
}

bool dilates(const IssueQuery& query) {
  const auto* dilations = query.node.attribute<std::vector<std::int64_t>>("dilations");
  return dilations != nullptr &&
         std::any_of(dilations->begin(), dilations->end(), [](std::int64_t one) { return one != 1; });
}

bool has_other_norm(const IssueQuery& query) {
  const std::int64_t p = query.integer("p", 2);
  return p != 1 && p != 2;
}

bool is_softcapped(const IssueQuery& query) {
  return query.node.attribute_or<float>("softcap", 0.0F) != 0.0F;
}
bool has_softmax_precision(const IssueQuery& query) {
  return query.node.attribute<std::int64_t>("softmax_precision") != nullptr;
}
bool is_causal_with_mask(const IssueQuery& query) {
  return query.integer("is_causal", 0) != 0 && query.has_input(3);
}

/// The width of keys and values differs.
bool has_narrow_values(const IssueQuery& query) {
  const auto key = query.input_shape(1);
  const auto value = query.input_shape(2);
  return key && value && !key->empty() && !value->empty() && key->back() != value->back();
}

bool reads_uint8(const IssueQuery& query) { return query.input_dtype(0) == DType::kUint8; }

bool reads_int8(const IssueQuery& query) { return query.input_dtype(0) == DType::kInt8; }

/// Between other nodes; at the model's inputs and outputs the type is there.
bool casts_inside_to_uint8(const IssueQuery& query) {
  const Value* output = query.node.output(0);
  return query.output_dtype(0) == DType::kUint8 && output != nullptr && !output->is_output();
}

bool has_odd_count_of_nibbles(const IssueQuery& query) {
  const DType dtype = query.input_dtype(0);
  if (dtype != DType::kInt4 && dtype != DType::kFloat4E2M1) return false;
  const auto shape = query.input_shape(0);
  return shape &&
         std::accumulate(shape->begin(), shape->end(), std::int64_t{1}, std::multiplies<>()) % 2 != 0;
}

bool has_output_dtype_of_float(const IssueQuery& query) {
  const auto dtype = static_cast<DType>(query.integer("output_dtype", 0));
  return dtype == DType::kFloat32 || dtype == DType::kFloat16 || dtype == DType::kBFloat16;
}

/// What counts is the zero points' value: zero everywhere.
bool has_zero_point(const IssueQuery& query) {
  const auto points = query.constant(2);
  return points && std::any_of(points->begin(), points->end(), [](double point) { return point != 0; });
}

bool is_integer_mod_of_others(const IssueQuery& query) {
  const DType dtype = query.input_dtype(0);
  return query.integer("fmod", 0) == 0 && dtype != DType::kInt32 && dtype != DType::kInt64 &&
         dtype != DType::kUndefined;
}

bool is_range_of_halves(const IssueQuery& query) {
  const DType dtype = query.output_dtype(0);
  return dtype == DType::kFloat16 || dtype == DType::kBFloat16;
}
bool is_computed_range_of_floats(const IssueQuery& query) {
  return query.output_dtype(0) == DType::kFloat32 &&
         (computed(query, 0) || computed(query, 1) || computed(query, 2));
}

bool antialiases(const IssueQuery& query) { return query.integer("antialias", 0) != 0; }
bool keeps_aspect_ratio(const IssueQuery& query) {
  return query.text("keep_aspect_ratio_policy", "stretch") != "stretch";
}
bool has_other_coordinates(const IssueQuery& query) {
  const std::string mode = query.text("coordinate_transformation_mode", "half_pixel");
  return mode == "tf_crop_and_resize" || mode == "half_pixel_symmetric";
}
bool computes_scales(const IssueQuery& query) { return query.opset >= 11 && computed(query, 2); }
/// Scales of some axes only; sizes are taken for any.
bool scales_some_axes(const IssueQuery& query) {
  const auto* axes = query.node.attribute<std::vector<std::int64_t>>("axes");
  const auto shape = query.input_shape(0);
  if (axes == nullptr || !query.has_input(2) || query.has_input(3)) return false;
  for (std::size_t i = 0; i < axes->size(); ++i) {
    if ((*axes)[i] != static_cast<std::int64_t>(i)) return true;
  }
  return shape && axes->size() != shape->size();
}

bool reduces(const IssueQuery& query) { return query.text("reduction", "none") != "none"; }
bool is_circular(const IssueQuery& query) { return query.text("mode", "linear") != "linear"; }
bool has_cache_of_other_rank(const IssueQuery& query) {
  const auto shape = query.input_shape(0);
  return shape && shape->size() != 4;
}

bool is_vector_by_matrices(const IssueQuery& query) {
  const auto left = query.input_shape(0);
  const auto right = query.input_shape(1);
  return left && right && left->size() == 1 && right->size() > 2;
}

bool draws_doubles(const IssueQuery& query) { return query.output_dtype(0) == DType::kFloat64; }

/// The last part is shorter than the others would leave.
bool splits_beyond_the_end(const IssueQuery& query) {
  const std::int64_t parts = query.integer("num_outputs", 0);
  const auto shape = query.input_shape(0);
  if (parts <= 0 || !shape || shape->empty()) return false;
  std::int64_t axis = query.integer("axis", 0);
  if (axis < 0) axis += static_cast<std::int64_t>(shape->size());
  if (axis < 0 || axis >= static_cast<std::int64_t>(shape->size())) return false;
  const std::int64_t size = (*shape)[static_cast<std::size_t>(axis)];
  return (parts - 1) * ((size + parts - 1) / parts) > size;
}

bool is_celu_of_halves(const IssueQuery& query) {
  return query.input_dtype(0) == DType::kFloat16 || query.input_dtype(0) == DType::kBFloat16;
}

bool sorts_not(const IssueQuery& query) { return query.integer("sorted", 1) == 0; }

constexpr const char* kFold =
    "make it a constant (tarmac optimize folds what can be; --fix-shape fixes the sizes it comes from)";
constexpr const char* kAxes = "its axes come from the graph; they must be known when the engine is built";
constexpr const char* kUint8 = "TensorRT has uint8 at the inputs and outputs of a model only";
constexpr const char* kFirstOutput = "TensorRT gives its first output only";
constexpr const char* kUnused = "leave the other outputs out, or compute them by other nodes";
constexpr const char* kScatter = "make the indices unique, or sum by products with a matrix of ones";
constexpr const char* kResize = "use a mode that TensorRT has, or resize outside of the network";

constexpr KnownIssue kLimits[] = {
    {"Attention", "", has_further_outputs, kFirstOutput, "join keys and values outside of the node"},
    {"Attention", "", is_softcapped, "TensorRT's attention has no softcap", "keep it decomposed"},
    {"Attention", "", has_softmax_precision, "TensorRT's attention has no softmax_precision",
     "leave the attribute out"},
    {"Attention", "", has_narrow_values, "TensorRT's attention takes keys and values of one width only",
     "keep it decomposed"},
    {"Attention", "", is_causal_with_mask, "TensorRT's attention is causal or has a mask, not both",
     "put the triangle into the mask"},
    {"AveragePool", "", dilates, "TensorRT's pooling has no dilations",
     "pool by slices, or by a convolution"},
    {"BatchNormalization", "", has_further_outputs, kFirstOutput, "export the model for inference"},
    {"Cast", "", casts_inside_to_uint8, kUint8, "cast to int32 instead"},
    {"CastLike", "", casts_inside_to_uint8, kUint8, "cast to int32 instead"},
    {"Celu", "", is_celu_of_halves, "the parser fails at Celu of float16 and bfloat16",
     "write it as Max(0, x) + Min(0, a (exp(x / a) - 1))"},
    {"Clip", "", reads_int8, "TensorRT does not clip int8", "cast to float32 or int32 before it"},
    {"DequantizeLinear", "", reads_uint8, "TensorRT has no uint8 Q/DQ", "quantise to signed int8"},
    {"DequantizeLinear", "", has_odd_count_of_nibbles, "TensorRT packs 4-bit elements in pairs",
     "keep tensors of an odd number of elements in 8 bits"},
    {"DequantizeLinear", "", has_zero_point, "TensorRT quantises symmetrically: zero points must be 0",
     "quantise for it: tarmac quantize --activations signed"},
    {"Dropout", "", computes<2>, "its training_mode comes from the graph", "export the model for inference"},
    {"LayerNormalization", "", has_further_outputs, kFirstOutput, kUnused},
    {"LpPool", "", has_other_norm, "TensorRT's parser has L1 and L2 pooling only",
     "write it by Pow and Conv"},
    {"LpPool", "", dilates, "TensorRT's pooling has no dilations", "pool by slices, or by a convolution"},
    {"MatMul", "", is_vector_by_matrices, "the parser fails at a vector times a batch of matrices",
     "give the vector an axis before it (Unsqueeze), and take it out after"},
    {"MaxPool", "", dilates, "TensorRT's pooling has no dilations", "pool by slices"},
    {"MaxPool", "", has_further_outputs, "TensorRT's pooling gives no indices", kUnused},
    {"Mod", "", is_integer_mod_of_others, "TensorRT's Mod without fmod is of int32 and int64 only",
     "use fmod=1 where the signs agree, or cast"},
    {"OneHot", "", computes<1>, "its depth comes from the graph", kFold},
    {"QuantizeLinear", "", has_output_dtype_of_float, "output_dtype names a float type", "leave it out"},
    {"QuantizeLinear", "", has_zero_point, "TensorRT quantises symmetrically: zero points must be 0",
     "quantise for it: tarmac quantize --activations signed"},
    {"RandomNormal", "", draws_doubles, "TensorRT draws float32 and float16 only", "draw float32 and cast"},
    {"RandomNormalLike", "", draws_doubles, "TensorRT draws float32 and float16 only",
     "draw float32 and cast"},
    {"RandomUniform", "", draws_doubles, "TensorRT draws float32 and float16 only", "draw float32 and cast"},
    {"RandomUniformLike", "", draws_doubles, "TensorRT draws float32 and float16 only",
     "draw float32 and cast"},
    {"Range", "", is_range_of_halves, "TensorRT's Range is of int32, int64 and float32 only",
     "make it in float32 and cast"},
    {"Range", "", is_computed_range_of_floats, "the bounds of a float Range come from the graph", kFold},
    {"ReduceL1", "", computes<1>, kAxes, kFold},
    {"ReduceL2", "", computes<1>, kAxes, kFold},
    {"ReduceLogSum", "", computes<1>, kAxes, kFold},
    {"ReduceLogSumExp", "", computes<1>, kAxes, kFold},
    {"ReduceMax", "", computes<1>, kAxes, kFold},
    {"ReduceMean", "", computes<1>, kAxes, kFold},
    {"ReduceMin", "", computes<1>, kAxes, kFold},
    {"ReduceProd", "", computes<1>, kAxes, kFold},
    {"ReduceSum", "", computes<1>, kAxes, kFold},
    {"ReduceSumSquare", "", computes<1>, kAxes, kFold},
    {"Resize", "", antialiases, "TensorRT's resizing has no antialiasing", kResize},
    {"Resize", "", keeps_aspect_ratio, "TensorRT's resizing does not keep the aspect ratio by itself",
     "give it the sizes that result"},
    {"Resize", "", has_other_coordinates,
     "TensorRT's resizing has no tf_crop_and_resize and half_pixel_symmetric", kResize},
    {"Resize", "", computes_scales, "its scales come from the graph, where TensorRT takes sizes (int64) only",
     "make them constant, or give sizes"},
    {"Resize", "", scales_some_axes, "TensorRT takes scales of all axes in order only",
     "give scales of all axes, or sizes"},
    {"STFT", "", computes<1>, "its frame_step comes from the graph", kFold},
    {"ScatterElements", "", reduces, "TensorRT-RTX's ScatterElements has no reduction", kScatter},
    {"ScatterND", "", reduces, "TensorRT's ScatterND has no reduction", kScatter},
    {"Split", "", splits_beyond_the_end, "its last parts would be empty", "give the sizes of the parts"},
    {"Squeeze", "", computes<1>, kAxes, kFold},
    {"TensorScatter", "", has_cache_of_other_rank, "TensorRT's cache has 4 axes", "add axes of 1"},
    {"TensorScatter", "", is_circular, "TensorRT's cache is not circular", "write it with ScatterND"},
    {"TopK", "", sorts_not, "TensorRT's TopK is sorted", "set sorted=1"},
    {"Unsqueeze", "", computes<1>, kAxes, kFold},
    {"Upsample", "", computes<1>, "its scales come from the graph", "make them constant"},
};

}  // namespace

std::span<const KnownIssue> limits() { return kLimits; }

}  // namespace tarmac::tensorrt

#include "targets/openvino/known_issues.h"

#include <algorithm>

namespace tarmac::openvino {
namespace {

bool is_set(const IssueQuery& query, const char* window) { return query.integer(window, -1) >= 0; }

bool has_window(const IssueQuery& query) {
  return is_set(query, "left_window_size") || is_set(query, "right_window_size");
}

bool is_causal_with_past_and_mask(const IssueQuery& query) {
  return query.integer("is_causal", 0) != 0 && query.has_input(3) && query.has_input(4);
}

bool is_signed_shift(const IssueQuery& query) {
  const DType dtype = query.input_dtype(0);
  return dtype == DType::kInt8 || dtype == DType::kInt16 || dtype == DType::kInt32 || dtype == DType::kInt64;
}

/// CastLike's type is that of its second input, Cast's that of its output.
DType cast_target(const IssueQuery& query) {
  return query.node.is("CastLike") ? query.input_dtype(1) : static_cast<DType>(query.integer("to", 0));
}

bool saturates_to_float8(const IssueQuery& query) {
  const DType target = cast_target(query);
  return query.integer("saturate", 1) != 0 &&
         (target == DType::kFloat8E4M3FN || target == DType::kFloat8E5M2);
}

bool rounds_to_power_of_two(const IssueQuery& query) {
  return cast_target(query) == DType::kFloat8E8M0 && query.text("round_mode", "up") == "up";
}

bool casts_to_float4(const IssueQuery& query) { return cast_target(query) == DType::kFloat4E2M1; }

bool is_onesided(const IssueQuery& query) { return query.integer("onesided", 0) != 0; }

/// From opset 20 on the axis is an input, which the front end does not read.
bool has_axis_input(const IssueQuery& query) { return query.opset >= 20 && query.has_input(2); }

bool is_batchwise(const IssueQuery& query) { return query.integer("layout", 0) != 0; }

bool has_peepholes(const IssueQuery& query) { return query.has_input(7); }

/// The last window begins in the padding behind the picture; ONNX leaves such a window out.
bool pools_beyond_the_end(const IssueQuery& query) {
  if (query.integer("ceil_mode", 0) == 0 || query.text("auto_pad", "NOTSET") != "NOTSET") return false;
  const auto shape = query.input_shape(0);
  const auto* kernel = query.node.attribute<std::vector<std::int64_t>>("kernel_shape");
  if (!shape || kernel == nullptr || shape->size() != kernel->size() + 2) return false;
  const std::size_t axes = kernel->size();
  const auto values_of = [&](const char* name, std::int64_t fallback, std::size_t count) {
    const auto* values = query.node.attribute<std::vector<std::int64_t>>(name);
    return values != nullptr && values->size() == count ? *values
                                                        : std::vector<std::int64_t>(count, fallback);
  };
  const auto pads = values_of("pads", 0, 2 * axes);
  const auto strides = values_of("strides", 1, axes);
  const auto dilations = values_of("dilations", 1, axes);
  for (std::size_t i = 0; i < axes; ++i) {
    const std::int64_t size = (*shape)[i + 2];
    const std::int64_t span = size + pads[i] + pads[axes + i] - dilations[i] * ((*kernel)[i] - 1) - 1;
    const std::int64_t windows = (span + strides[i] - 1) / strides[i] + 1;
    if ((windows - 1) * strides[i] >= size + pads[i]) return true;
  }
  return false;
}

bool reduces_nothing(const IssueQuery& query) {
  const auto shape = query.input_shape(0);
  const bool has_infinity = is_floating_point(query.input_dtype(0));
  return has_infinity && shape && std::find(shape->begin(), shape->end(), 0) != shape->end();
}

bool excludes_outside(const IssueQuery& query) { return query.integer("exclude_outside", 0) != 0; }
bool antialiases(const IssueQuery& query) {
  return query.integer("antialias", 0) != 0 && query.text("mode", "nearest") != "nearest";
}
bool keeps_aspect_ratio(const IssueQuery& query) {
  return query.text("keep_aspect_ratio_policy", "stretch") != "stretch";
}

/// The input has as many axes as there are repeats; either number may be the one that is known.
bool repeats_at_run_time(const IssueQuery& query) {
  const auto& tiled = query.node.input(0)->type.shape;
  const auto repeats = query.input_shape(1);
  const bool few_axes =
      (tiled && tiled->size() < 4) || (repeats && repeats->size() == 1 && (*repeats)[0] < 4);
  return !few_axes && !query.constant(1);
}

bool takes_maximum(const IssueQuery& query) { return query.text("mode", "avg") == "max"; }
bool is_column_first(const IssueQuery& query) { return query.text("mode", "DCR") == "CRD"; }

constexpr const char* kDecompose = "Write the operator as its parts, or use target onnxruntime";
constexpr const char* kOnnxruntime = "Use target onnxruntime";

bool is_transpose_other_than(const Node* node, const std::vector<std::int64_t>& perm) {
  if (node == nullptr || !node->is("Transpose")) return false;
  const auto* found = node->attribute<std::vector<std::int64_t>>("perm");
  return found == nullptr || *found != perm;
}

/// Stored weights of a 1x1 convolution of float activations beside a Transpose: the plugin makes a product of
/// matrices of both and takes every Transpose for one between NCHW and NHWC, and every stride for 1.
bool feeds_pointwise_conv_by_transpose(const IssueQuery& query) {
  if (constant_of(query.node.input(0)) == nullptr || !query.has_output(0)) return false;
  const auto& uses = query.node.output(0)->uses();
  return std::any_of(uses.begin(), uses.end(), [](const Use& use) {
    const Node& conv = *use.node;
    if (!conv.is("Conv") || use.index != 1 || conv.attribute_or<std::int64_t>("group", 1) != 1) return false;
    const Value* weights = conv.input(1);
    const auto& shape = weights->type.shape;
    if (!shape || shape->size() != 4 || (*shape)[2].size != 1 || (*shape)[3].size != 1) return false;
    const Node* before = conv.input(0)->producer();
    if (before != nullptr && before->is("DequantizeLinear")) return false;  // computed in INT8
    const auto& readers = conv.output(0)->uses();
    const auto strided = [&] {
      const auto* strides = conv.attribute<std::vector<std::int64_t>>("strides");
      return strides != nullptr && *strides != std::vector<std::int64_t>{1, 1};
    };
    // With a stride no Transpose is read rightly.
    const std::vector<std::int64_t> to_nchw =
        strided() ? std::vector<std::int64_t>() : std::vector<std::int64_t>{0, 3, 1, 2};
    const std::vector<std::int64_t> to_nhwc =
        strided() ? std::vector<std::int64_t>() : std::vector<std::int64_t>{0, 2, 3, 1};
    return is_transpose_other_than(before, to_nchw) ||
           std::any_of(readers.begin(), readers.end(),
                       [&](const Use& reader) { return is_transpose_other_than(reader.node, to_nhwc); });
  });
}

constexpr KnownIssue kIssues[] = {
    {"Attention", "", has_window, "the front end ignores left_window_size and right_window_size (opset 25)",
     "Put the window into attn_mask"},
    {"Attention", "", is_causal_with_past_and_mask,
     "with a past and a mask the causal triangle is taken from the wrong corner",
     "Put the triangle into attn_mask"},
    {"BitShift", "", is_signed_shift,
     "the CPU plugin shifts signed integers as if they were unsigned or saturates them",
     "Cast to an unsigned type first"},
    {"Cast", "", saturates_to_float8,
     "values beyond the range become infinity or NaN instead of the largest value",
     "Clip before the cast, with saturate=0"},
    {"CastLike", "", saturates_to_float8,
     "values beyond the range become infinity or NaN instead of the largest value",
     "Clip before the cast, with saturate=0"},
    {"Cast", "", rounds_to_power_of_two, "round_mode 'up' is read as 'down'", kOnnxruntime},
    {"Cast", "", casts_to_float4, "NaN becomes 6", kOnnxruntime},
    {"CastLike", "", casts_to_float4, "NaN becomes 6", kOnnxruntime},
    {"DFT", "", is_onesided, "the result of a one-sided transform has the wrong shape", kOnnxruntime},
    {"DFT", "", has_axis_input, "the front end does not read the axis input (opset 20)",
     "Export with opset 19"},
    {"DequantizeLinear", "", feeds_pointwise_conv_by_transpose,
     "the plugin mixes up the axes of a 1x1 convolution with stored INT8 weights beside a Transpose",
     "Keep these weights in float, or quantise the activations too"},
    {"GRU", "", is_batchwise, "the front end ignores layout=1 and takes time for batch",
     "Transpose and use layout=0"},
    {"LSTM", "", is_batchwise, "the front end ignores layout=1 and takes time for batch",
     "Transpose and use layout=0"},
    {"RNN", "", is_batchwise, "the front end ignores layout=1 and takes time for batch",
     "Transpose and use layout=0"},
    {"LSTM", "", has_peepholes, "the front end ignores the peephole weights", kDecompose},
    {"MaxPool", "", pools_beyond_the_end,
     "with ceil_mode a window that begins behind the picture is not left out",
     "Give the output size by pads instead of ceil_mode"},
    {"ReduceMax", "", reduces_nothing,
     "over no elements it gives the lowest number instead of minus infinity", kOnnxruntime},
    {"Resize", "", excludes_outside, "the front end ignores exclude_outside", kOnnxruntime},
    {"Resize", "", antialiases, "the antialias filter has other weights than ONNX's", kOnnxruntime},
    {"Resize", "", keeps_aspect_ratio, "the front end ignores keep_aspect_ratio_policy",
     "Give the sizes that it works out to"},
    {"Resize", "", resize_aligns_fractional_size,
     "with align_corners the scale is taken from the rounded size; ONNX takes it from size times scale",
     "Give sizes instead of scales"},
    {"RoiAlign", "", takes_maximum,
     "mode 'max' takes the maximum of sampled points after another interpolation", kOnnxruntime},
    {"SpaceToDepth", "", is_column_first, "the front end ignores mode 'CRD' (opset 28)",
     "Write it as Reshape and Transpose"},
    {"Tile", "", repeats_at_run_time,
     "with repeats for four or more axes known only in the run, parts of the result are never written",
     "Make repeats a constant (tarmac optimize folds what it can)"},
};

}  // namespace

std::span<const KnownIssue> known_issues() { return kIssues; }

}  // namespace tarmac::openvino

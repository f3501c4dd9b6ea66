// How an older definition of an operator says the same, where it can: ONNX's operator changelog, versions 28
// to 8.
#include <algorithm>
#include <array>

#include "passes/inline_call.h"
#include "passes/opset_step.h"
#include "tensor/codec.h"

namespace tarmac::opset {
namespace {

using Integers = std::vector<std::int64_t>;

/// A string attribute that took a new value with this version.
Status refuse_value(Step& step, const char* attribute, std::initializer_list<const char*> values) {
  const std::string found = step.node.attribute_or<std::string>(attribute, "");
  for (const char* value : values) {
    if (found == value) return refuse(std::string(attribute) + " '" + value + "' does not exist there");
  }
  return {};
}

/// A constant integer input becomes an attribute.
Status input_to_attribute(Step& step, std::size_t i, const char* attribute) {
  if (step.node.input(i) == nullptr) return {};
  const auto values = step.integers(i);
  if (!values) return refuse(std::string("its input ") + attribute + " is computed, and an attribute there");
  step.node.set_input(i, nullptr);
  step.trim_inputs();
  step.node.attributes[attribute] = *values;
  return {};
}

/// Counts from the front; only then defined for opsets before 11.
Status nonnegative(Step& step, const char* attribute, std::int64_t extra_rank) {
  const auto found = step.node.attributes.find(attribute);
  if (found == step.node.attributes.end()) return {};
  const auto rank = step.rank();
  const auto fix = [&](std::int64_t& axis) {
    if (axis < 0 && rank) axis += *rank + extra_rank;
    return axis >= 0;
  };
  bool known = true;
  if (auto* one = std::get_if<std::int64_t>(&found->second)) known = fix(*one);
  if (auto* many = std::get_if<Integers>(&found->second)) {
    for (std::int64_t& axis : *many) known = fix(axis) && known;
  }
  return known ? Status{}
               : refuse("negative axes do not exist there, and the rank of its input is not known");
}
Status axis_11(Step& step) { return nonnegative(step, "axis", 0); }
Status axes_11(Step& step) { return nonnegative(step, "axes", 0); }
Status unsqueeze_11(Step& step) {
  const auto* axes = step.node.attribute<Integers>("axes");
  return nonnegative(step, "axes", axes == nullptr ? 0 : static_cast<std::int64_t>(axes->size()));
}

/// Max, Min, Mean, Sum did not broadcast.
Status same_shapes_8(Step& step) {
  for (const Value* input : step.node.inputs()) {
    const auto shape = input->type.static_shape();
    if (!shape || shape != step.node.input(0)->type.static_shape())
      return refuse("it does not broadcast there, and its inputs are not known to have equal shapes");
  }
  return {};
}

Status slice_10(Step& step) {
  const auto steps = step.integers(4);
  if (step.node.input(4) != nullptr &&
      (!steps || std::any_of(steps->begin(), steps->end(), [](std::int64_t s) { return s != 1; }))) {
    return refuse("steps do not exist there");
  }
  for (const std::size_t i : {1U, 2U, 3U}) {
    if (step.node.input(i) != nullptr && !step.integers(i))
      return refuse("starts, ends and axes must be constant there");
  }
  const auto rank = step.rank();
  auto axes = step.integers(3);
  if (axes) {
    for (std::int64_t& axis : *axes) {
      if (axis < 0 && !rank) return refuse("negative axes do not exist there");
      if (axis < 0) axis += *rank;
    }
    step.node.attributes["axes"] = *axes;
  }
  step.node.attributes["starts"] = *step.integers(1);
  step.node.attributes["ends"] = *step.integers(2);
  step.node.truncate_inputs(1);
  return {};
}

Status top_k_10(Step& step) {
  const auto k = step.integers(1);
  if (!k || k->size() != 1) return refuse("k must be constant there");
  step.node.attributes["k"] = k->front();
  step.node.truncate_inputs(1);
  return {};
}

Status scatter_11(Step& step) {
  TARMAC_CHECK_OK(axis_11(step));
  step.node.op_type = "Scatter";
  return {};
}

Status clip_11(Step& step) {
  std::array<std::optional<float>, 2> bounds;
  for (std::size_t i = 0; i < 2; ++i) {
    if (step.node.input(i + 1) == nullptr) continue;
    const Tensor* tensor = constant_of(step.node.input(i + 1));
    const auto values = tensor == nullptr ? Result<std::vector<double>>(refuse("")) : to_doubles(*tensor);
    if (!values || values->size() != 1 ||
        static_cast<double>(static_cast<float>(values->front())) != values->front())
      return refuse("its bounds must be constants that a float holds there");
    bounds[i] = static_cast<float>(values->front());
  }
  if (bounds[0]) step.node.attributes["min"] = *bounds[0];
  if (bounds[1]) step.node.attributes["max"] = *bounds[1];
  step.node.truncate_inputs(1);
  return {};
}

Status pad_11(Step& step) {
  const auto pads = step.integers(1);
  if (!pads) return refuse("pads must be constant there");
  float value = 0;
  if (step.node.input(2) != nullptr) {
    const Tensor* tensor = constant_of(step.node.input(2));
    const auto values = tensor == nullptr ? Result<std::vector<float>>(refuse("")) : to_floats(*tensor);
    if (!values || values->size() != 1) return refuse("the value to pad with must be constant there");
    value = values->front();
  }
  step.node.attributes["pads"] = *pads;
  if (value != 0) step.node.attributes["value"] = value;
  step.node.truncate_inputs(1);
  return {};
}

Status pad_18(Step& step) {
  if (step.node.input(3) == nullptr) {
    step.node.truncate_inputs(std::min<std::size_t>(step.node.inputs().size(), 3));
    step.trim_inputs();
    return {};
  }
  const auto axes = step.integers(3);
  const auto pads = step.integers(1);
  const auto rank = step.rank();
  if (!axes || !pads || !rank || pads->size() != 2 * axes->size() || !are_axes(*axes, *rank))
    return refuse("axes do not exist there, and what they leave out is not known");
  const auto half = static_cast<std::ptrdiff_t>(axes->size());
  Integers all =
      spread_over_axes(Integers(pads->begin(), pads->begin() + half), *axes, *rank, std::int64_t{0});
  const Integers ends =
      spread_over_axes(Integers(pads->begin() + half, pads->end()), *axes, *rank, std::int64_t{0});
  all.insert(all.end(), ends.begin(), ends.end());
  step.put_input(1, &step.integers_constant(all, "pads"));
  step.node.set_input(3, nullptr);
  step.trim_inputs();
  return {};
}
Status pad_19(Step& step) { return refuse_value(step, "mode", {"wrap"}); }

Status gemm_11(Step& step) {
  if (step.node.input(2) != nullptr) return {};
  if (step.dtype() == DType::kUndefined) return refuse("C must be given there, and its type is not known");
  TARMAC_TRY(Tensor zero, from_doubles(step.dtype(), {1}, {0}));
  step.put_input(2, &step.constant(std::move(zero), "no_bias"));
  return {};
}

/// It does nothing there, whatever the ratio.
Status dropout_12(Step& step) {
  const auto training = step.integers(2);
  if (step.node.input(2) != nullptr && (!training || training->size() != 1 || training->front() != 0))
    return refuse("it cannot train there");
  if (step.node.output(1) != nullptr) return refuse("its mask is not defined there outside training");
  step.node.truncate_inputs(1);
  step.node.attributes.erase("seed");
  return {};
}

Status reduce_axes(Step& step) {
  const auto axes = step.integers(1);
  const bool all = step.node.input(1) == nullptr || (axes && axes->empty());
  if (all && step.node.attribute_or<std::int64_t>("noop_with_empty_axes", 0) != 0)
    return refuse("noop_with_empty_axes does not exist there");
  TARMAC_CHECK_OK(input_to_attribute(step, 1, "axes"));
  if (all) step.node.attributes.erase("axes");
  step.node.attributes.erase("noop_with_empty_axes");
  return {};
}
Status squeeze_13(Step& step) { return input_to_attribute(step, 1, "axes"); }
Status split_13(Step& step) { return input_to_attribute(step, 1, "split"); }

/// Without sizes all parts were equal.
Status split_18(Step& step) {
  const auto* parts = step.node.attribute<std::int64_t>("num_outputs");
  if (parts == nullptr) return {};
  const auto rank = step.rank();
  std::int64_t axis = step.node.attribute_or<std::int64_t>("axis", 0);
  if (rank && axis < 0) axis += *rank;
  if (!rank || axis < 0 || axis >= *rank) return refuse("the size of what is split is not known");
  const auto size = (*step.node.input(0)->type.shape)[static_cast<std::size_t>(axis)].size;
  if (!size || *parts <= 0 || *parts != static_cast<std::int64_t>(step.node.outputs().size()))
    return refuse("the size of what is split is not known");
  const std::int64_t chunk = (*size + *parts - 1) / *parts;
  if (*size % *parts != 0) {
    Integers sizes;
    for (std::int64_t left = *size; left > 0; left -= chunk) sizes.push_back(std::min(chunk, left));
    if (static_cast<std::int64_t>(sizes.size()) != *parts) return refuse("its last parts would be empty");
    step.put_input(1, &step.integers_constant(sizes, "split"));
  }
  step.node.attributes.erase("num_outputs");
  return {};
}

/// There, all axes from `axis` on count as one, so the axis must be the last.
Status softmax_13(Step& step) {
  std::int64_t axis = step.node.attribute_or<std::int64_t>("axis", -1);
  step.node.attributes["axis"] = axis;
  if (axis == -1) return {};
  const auto rank = step.rank();
  if (!rank) return refuse("the rank of its input is not known, and axis means another thing there");
  if (!are_axes({axis}, *rank)) return refuse("its axis is beyond the rank of its input");
  if (axis < 0) axis += *rank;
  step.node.attributes["axis"] = *rank - 1;
  if (axis == *rank - 1) return {};
  Integers last(static_cast<std::size_t>(*rank));
  for (std::size_t i = 0; i < last.size(); ++i) last[i] = static_cast<std::int64_t>(i);
  std::swap(last[static_cast<std::size_t>(axis)], last.back());
  Value& input = *step.node.input(0);
  Value& moved = step.before("Transpose", {&input}, "moved");
  moved.producer()->attributes["perm"] = last;
  if (input.type.shape) {
    std::vector<Dim> dims = *input.type.shape;
    std::swap(dims[static_cast<std::size_t>(axis)], dims.back());
    moved.type = Type::tensor(input.type.dtype, dims);
  }
  step.node.set_input(0, &moved);
  step.behind("Transpose", {}).attributes["perm"] = last;
  return {};
}

Status reshape_14(Step& step) {
  const auto shape = step.integers(1);
  if (step.node.attribute_or<std::int64_t>("allowzero", 0) != 0 &&
      (!shape || std::find(shape->begin(), shape->end(), 0) != shape->end())) {
    return refuse("allowzero does not exist there");
  }
  step.node.attributes.erase("allowzero");
  return {};
}

Status shape_15(Step& step) {
  const std::int64_t start = step.node.attribute_or<std::int64_t>("start", 0);
  const auto* end = step.node.attribute<std::int64_t>("end");
  if (start != 0 || end != nullptr) {
    Value& starts = step.integers_constant({start}, "start");
    Value& ends = step.integers_constant({end != nullptr ? *end : INT64_MAX}, "end");
    step.behind("Slice", {&starts, &ends});
  }
  step.node.attributes.erase("start");
  step.node.attributes.erase("end");
  return {};
}

Status roi_align_16(Step& step) {
  if (step.node.attribute_or<std::string>("coordinate_transformation_mode", "half_pixel") !=
      "output_half_pixel")
    return refuse("coordinate_transformation_mode does not exist there; it works as output_half_pixel");
  step.node.attributes.erase("coordinate_transformation_mode");
  return {};
}

Status scatter_18(Step& step) { return refuse_value(step, "reduction", {"max", "min"}); }

/// Only for types that do not exist there does it say anything.
Status cast_19(Step& step) {
  step.node.attributes.erase("saturate");
  return {};
}
Status cast_24(Step& step) {
  step.node.attributes.erase("round_mode");
  return {};
}

Status dilations(Step& step) {
  const auto* values = step.node.attribute<Integers>("dilations");
  if (values == nullptr) return {};
  if (std::any_of(values->begin(), values->end(), [](std::int64_t d) { return d != 1; }))
    return refuse("dilations do not exist there");
  step.node.attributes.erase("dilations");
  return {};
}

Status grid_sample_20(Step& step) {
  if (step.rank() != 4) return refuse("there it takes 4-D inputs only");
  const std::string mode = step.node.attribute_or<std::string>("mode", "linear");
  step.node.attributes["mode"] = mode == "linear"  ? std::string("bilinear")
                                 : mode == "cubic" ? "bicubic"
                                                   : mode;
  return {};
}

Status dft_20(Step& step) {
  std::int64_t axis = -2;
  if (step.node.input(2) != nullptr) {
    const auto given = step.integers(2);
    if (!given || given->size() != 1) return refuse("axis must be constant there");
    axis = given->front();
  }
  const auto rank = step.rank();
  if (axis < 0 && !rank) return refuse("a negative axis does not exist there, and the rank is not known");
  step.node.attributes["axis"] = axis < 0 ? axis + *rank : axis;
  if (step.node.inputs().size() > 2) step.node.set_input(2, nullptr);
  step.trim_inputs();
  return {};
}

/// One scale for all, or the axis would be lost.
Status quantize_13(Step& step) {
  const Value* scale = step.node.input(1);
  const auto shape = scale->type.static_shape();
  if (!shape || !shape->empty())
    return refuse("there it takes one scale only, not one for each slice of an axis");
  step.node.attributes.erase("axis");
  return {};
}

Status quantize_21(Step& step) {
  const auto wanted = static_cast<DType>(step.node.attribute_or<std::int64_t>("output_dtype", 0));
  if (wanted != DType::kUndefined && step.node.input(2) == nullptr && wanted != DType::kUint8) {
    const auto shape = step.node.input(1)->type.static_shape();
    if (!shape || !is_integer(wanted)) return refuse("output_dtype does not exist there");
    TARMAC_TRY(const std::int64_t count, element_count(*shape));
    auto zeros = from_doubles(wanted, *shape, std::vector<double>(static_cast<std::size_t>(count), 0));
    if (!zeros) return refuse("output_dtype does not exist there");
    step.put_input(2, &step.constant(*std::move(zeros), "zero_point"));
  }
  step.node.attributes.erase("output_dtype");
  return {};
}

Status dequantize_23(Step& step) {
  const auto wanted = static_cast<DType>(step.node.attribute_or<std::int64_t>("output_dtype", 0));
  if (wanted != DType::kUndefined && wanted != step.dtype(1))
    return refuse("output_dtype does not exist there");
  step.node.attributes.erase("output_dtype");
  return {};
}

Status range_27(Step& step) {
  if (step.dtype() == DType::kFloat16 || step.dtype() == DType::kBFloat16)
    return refuse("it takes no " + std::string(to_string(step.dtype())) + " there");
  step.node.attributes.erase("stash_type");  // says nothing of other types
  return {};
}

Status constant_12(Step& step) {
  normalize_constant(step.node);
  return {};
}

Status mod_28(Step& step) {
  if (step.node.attribute_or<std::int64_t>("fmod", 0) == 0 &&
      (step.dtype() == DType::kUndefined || is_floating_point(step.dtype())))
    return refuse("there it takes floats only with fmod=1");
  return {};
}

constexpr AdapterRow kRows[] = {
    {"ArgMax", 11, axis_11},
    {"ArgMin", 11, axis_11},
    {"AveragePool", 19, dilations},
    {"Cast", 19, cast_19},
    {"Cast", 24, cast_24},
    {"CastLike", 19, cast_19},
    {"CastLike", 24, cast_24},
    {"Clip", 11, clip_11},
    {"Compress", 11, axis_11},
    {"Concat", 11, axis_11},
    {"Constant", 12, constant_12},
    {"DFT", 20, dft_20},
    {"DequantizeLinear", 13, quantize_13},
    {"DequantizeLinear", 23, dequantize_23},
    {"Dropout", 12, dropout_12},
    {"Flatten", 11, axis_11},
    {"Gemm", 11, gemm_11},
    {"GridSample", 20, grid_sample_20},
    {"Hardmax", 11, axis_11},
    {"Hardmax", 13, softmax_13},
    {"LogSoftmax", 11, axis_11},
    {"LogSoftmax", 13, softmax_13},
    {"LpPool", 18, dilations},
    {"Max", 8, same_shapes_8},
    {"MaxPool", 10, dilations},
    {"Mean", 8, same_shapes_8},
    {"Min", 8, same_shapes_8},
    {"Mod", 28, mod_28},
    {"Pad", 11, pad_11},
    {"Pad", 18, pad_18},
    {"Pad", 19, pad_19},
    {"QuantizeLinear", 13, quantize_13},
    {"QuantizeLinear", 19, cast_19},
    {"QuantizeLinear", 21, quantize_21},
    {"Range", 27, range_27},
    {"ReduceL1", 11, axes_11},
    {"ReduceL1", 18, reduce_axes},
    {"ReduceL2", 11, axes_11},
    {"ReduceL2", 18, reduce_axes},
    {"ReduceLogSum", 11, axes_11},
    {"ReduceLogSum", 18, reduce_axes},
    {"ReduceLogSumExp", 11, axes_11},
    {"ReduceLogSumExp", 18, reduce_axes},
    {"ReduceMax", 11, axes_11},
    {"ReduceMax", 18, reduce_axes},
    {"ReduceMean", 11, axes_11},
    {"ReduceMean", 18, reduce_axes},
    {"ReduceMin", 11, axes_11},
    {"ReduceMin", 18, reduce_axes},
    {"ReduceProd", 11, axes_11},
    {"ReduceProd", 18, reduce_axes},
    {"ReduceSum", 11, axes_11},
    {"ReduceSum", 13, reduce_axes},
    {"ReduceSumSquare", 11, axes_11},
    {"ReduceSumSquare", 18, reduce_axes},
    {"Reshape", 14, reshape_14},
    {"RoiAlign", 16, roi_align_16},
    {"ScatterElements", 11, scatter_11},
    {"ScatterElements", 18, scatter_18},
    {"ScatterND", 18, scatter_18},
    {"Shape", 15, shape_15},
    {"Slice", 10, slice_10},
    {"Softmax", 11, axis_11},
    {"Softmax", 13, softmax_13},
    {"Split", 11, axis_11},
    {"Split", 13, split_13},
    {"Split", 18, split_18},
    {"Squeeze", 11, axes_11},
    {"Squeeze", 13, squeeze_13},
    {"Sum", 8, same_shapes_8},
    {"TopK", 10, top_k_10},
    {"Unsqueeze", 11, unsqueeze_11},
    {"Unsqueeze", 13, squeeze_13},
};

}  // namespace

Adapter find_downgrade(const std::string& op_type, std::int64_t version) {
  const Adapter adapter = find_adapter(kRows, op_type, version);
  return adapter == nullptr ? find_resize_downgrade(op_type, version) : adapter;
}

}  // namespace tarmac::opset

// What a newer definition of an operator says differently: ONNX's operator changelog, versions 8 to 28.
#include <algorithm>
#include <array>

#include "passes/opset_step.h"
#include "tensor/codec.h"

namespace tarmac::opset {
namespace {

using Integers = std::vector<std::int64_t>;

/// A float attribute as a scalar of the type of the first input.
Result<Value*> scalar_of(Step& step, const char* attribute, float value) {
  if (step.dtype() == DType::kUndefined)
    return refuse("the type of its input is not known, and " + std::string(attribute) +
                  " becomes an input of that type");
  TARMAC_TRY(Tensor tensor, from_doubles(step.dtype(), {}, {static_cast<double>(value)}));
  return &step.constant(std::move(tensor), attribute);
}

Status batch_normalization_9(Step& step) {
  if (step.node.attribute_or<std::int64_t>("spatial", 1) == 0) return refuse("spatial=0 exists no more");
  step.node.attributes.erase("spatial");
  return {};
}

/// Until then, extra outputs meant training.
Status batch_normalization_14(Step& step) {
  return step.node.outputs().size() == 1
             ? Status{}
             : Status(refuse("its training outputs are computed otherwise since"));
}

Status scan_9(Step& /*step*/) { return refuse("the batch dimension and sequence lengths exist no more"); }

Status upsample_9(Step& step) {
  const auto* scales = step.node.attribute<std::vector<float>>("scales");
  if (scales == nullptr) return refuse("it has no scales");
  step.put_input(
      1, &step.constant(Tensor::from({static_cast<std::int64_t>(scales->size())}, *scales), "scales"));
  step.node.attributes.erase("scales");
  return {};
}

/// Resize of version 10 is Upsample of version 9 with scales below 1.
Status upsample_10(Step& step) {
  step.node.op_type = "Resize";
  return {};
}

/// The mask had the data's type.
Status dropout_10(Step& step) {
  return step.node.output(1) == nullptr ? Status{} : Status(refuse("its mask becomes bool"));
}

Status resize_11(Step& step) {
  Value* scales = step.node.input(1);
  step.put_input(1, &step.constant(Tensor::from({0}, std::vector<float>{}), "roi"));
  step.put_input(2, scales);
  step.node.attributes["coordinate_transformation_mode"] = std::string("asymmetric");
  step.node.attributes["nearest_mode"] = std::string("floor");
  return {};
}

Status resize_13(Step& step) {
  if (step.node.attribute_or<std::string>("coordinate_transformation_mode", "") == "tf_half_pixel_for_nn")
    return refuse("coordinate_transformation_mode tf_half_pixel_for_nn exists no more");
  // Empty tensors stood for inputs that may be left out now.
  for (const std::size_t i : {1U, 2U}) {
    const Tensor* tensor = constant_of(step.node.input(i));
    if (tensor != nullptr && tensor->count() == 0) step.node.set_input(i, nullptr);
  }
  return {};
}

Status slice_10(Step& step) {
  for (const char* required : {"starts", "ends"}) {
    if (step.node.attribute<Integers>(required) == nullptr)
      return refuse(std::string("it has no ") + required);
  }
  step.attribute_to_input("starts", 1);
  step.attribute_to_input("ends", 2);
  step.attribute_to_input("axes", 3);
  return {};
}

Status top_k_10(Step& step) {
  const auto* k = step.node.attribute<std::int64_t>("k");
  if (k == nullptr) return refuse("it has no k");
  step.put_input(1, &step.integers_constant({*k}, "k"));
  step.node.attributes.erase("k");
  return {};
}

Status clip_11(Step& step) {
  std::array<Value*, 2> bounds{};
  constexpr std::array<const char*, 2> kNames{"min", "max"};
  for (std::size_t i = 0; i < 2; ++i) {
    if (const auto* bound = step.node.attribute<float>(kNames[i])) {
      TARMAC_TRY(bounds[i], scalar_of(step, kNames[i], *bound));
    }
  }
  for (std::size_t i = 0; i < 2; ++i) {
    step.put_input(i + 1, bounds[i]);
    step.node.attributes.erase(kNames[i]);
  }
  step.trim_inputs();
  return {};
}

Status pad_11(Step& step) {
  if (step.node.attribute<Integers>("pads") == nullptr) return refuse("it has no pads");
  const float value = step.node.attribute_or("value", 0.0F);
  if (value != 0) {
    TARMAC_TRY(Value* const constant, scalar_of(step, "value", value));
    step.put_input(2, constant);
  }
  step.attribute_to_input("pads", 1);
  step.node.attributes.erase("value");
  return {};
}

Status scatter_11(Step& step) {
  step.node.op_type = "ScatterElements";
  return {};
}

/// It never trained before, whatever its ratio.
Status dropout_12(Step& step) {
  step.node.attributes.erase("ratio");
  return {};
}

Status axes_to_input(Step& step) {
  step.attribute_to_input("axes", 1);
  return {};
}

Status split_13(Step& step) {
  step.attribute_to_input("split", 1);
  return {};
}

Status split_18(Step& step) {
  if (step.node.input(1) == nullptr) {
    step.node.truncate_inputs(1);
    step.node.attributes["num_outputs"] = static_cast<std::int64_t>(step.node.outputs().size());
  }
  return {};
}

/// The operator worked on all axes from `axis` on as if they were one.
Status softmax_13(Step& step) {
  const std::int64_t axis = step.node.attribute_or<std::int64_t>("axis", 1);
  const auto rank = step.rank();
  step.node.attributes["axis"] = std::int64_t{-1};
  if (axis == -1 || (rank && axis == *rank - 1)) return {};
  Value& input = *step.node.input(0);
  Value& flat = step.before("Flatten", {&input}, "flat");
  flat.producer()->attributes["axis"] = axis;
  Value& shape = step.before("Shape", {&input}, "shape");
  step.node.set_input(0, &flat);
  step.behind("Reshape", {&shape});
  return {};
}

Status roi_align_16(Step& step) {
  step.node.attributes["coordinate_transformation_mode"] = std::string("output_half_pixel");
  return {};
}

Status grid_sample_20(Step& step) {
  const std::string mode = step.node.attribute_or<std::string>("mode", "bilinear");
  step.node.attributes["mode"] = mode == "bilinear"  ? std::string("linear")
                                 : mode == "bicubic" ? "cubic"
                                                     : mode;
  return {};
}

Status dft_20(Step& step) {
  const std::int64_t axis = step.node.attribute_or<std::int64_t>("axis", 1);
  step.put_input(2, &step.constant(Tensor::from({}, Integers{axis}), "axis"));
  step.node.attributes.erase("axis");
  return {};
}

constexpr AdapterRow kRows[] = {
    {"BatchNormalization", 9, batch_normalization_9},
    {"BatchNormalization", 14, batch_normalization_14},
    {"Clip", 11, clip_11},
    {"DFT", 20, dft_20},
    {"Dropout", 10, dropout_10},
    {"Dropout", 12, dropout_12},
    {"GridSample", 20, grid_sample_20},
    {"Hardmax", 13, softmax_13},
    {"LogSoftmax", 13, softmax_13},
    {"Pad", 11, pad_11},
    {"ReduceL1", 18, axes_to_input},
    {"ReduceL2", 18, axes_to_input},
    {"ReduceLogSum", 18, axes_to_input},
    {"ReduceLogSumExp", 18, axes_to_input},
    {"ReduceMax", 18, axes_to_input},
    {"ReduceMean", 18, axes_to_input},
    {"ReduceMin", 18, axes_to_input},
    {"ReduceProd", 18, axes_to_input},
    {"ReduceSum", 13, axes_to_input},
    {"ReduceSumSquare", 18, axes_to_input},
    {"Resize", 11, resize_11},
    {"Resize", 13, resize_13},
    {"RoiAlign", 16, roi_align_16},
    {"Scan", 9, scan_9},
    {"Scatter", 11, scatter_11},
    {"Slice", 10, slice_10},
    {"Softmax", 13, softmax_13},
    {"Split", 13, split_13},
    {"Split", 18, split_18},
    {"Squeeze", 13, axes_to_input},
    {"TopK", 10, top_k_10},
    {"Unsqueeze", 13, axes_to_input},
    {"Upsample", 9, upsample_9},
    {"Upsample", 10, upsample_10},
};

}  // namespace

Adapter find_upgrade(const std::string& op_type, std::int64_t version) {
  return find_adapter(kRows, op_type, version);
}

}  // namespace tarmac::opset

// How older definitions of Resize, and Upsample before it, say the same.
#include <algorithm>
#include <cmath>

#include "passes/opset_step.h"
#include "tensor/codec.h"

namespace tarmac::opset {
namespace {

using Integers = std::vector<std::int64_t>;

Status upsample_9(Step& step) {
  const Tensor* scales = constant_of(step.node.input(1));
  const auto values = scales == nullptr ? Result<std::vector<float>>(refuse("")) : to_floats(*scales);
  if (!values) return refuse("its scales are computed, and an attribute there");
  step.node.attributes["scales"] = *values;
  step.node.truncate_inputs(1);
  return {};
}

Status resize_10(Step& step) {
  const Tensor* scales = constant_of(step.node.input(1));
  const auto values = scales == nullptr ? Result<std::vector<float>>(refuse("")) : to_floats(*scales);
  if (!values) return refuse("Upsample, which stands for it there, wants constant scales");
  if (std::any_of(values->begin(), values->end(), [](float scale) { return scale < 1; }))
    return refuse("Upsample, which stands for it there, cannot make anything smaller");
  step.node.op_type = "Upsample";
  return {};
}

/// Scales that give exactly the asked sizes, rounded down.
std::optional<std::vector<float>> scales_for(Step& step) {
  const auto shape = step.node.input(0)->type.static_shape();
  const auto sizes = step.integers(3);
  if (!shape || !sizes || sizes->size() != shape->size()) return std::nullopt;
  std::vector<float> scales;
  for (std::size_t i = 0; i < shape->size(); ++i) {
    const auto size = static_cast<float>((*shape)[i]);
    const float scale = static_cast<float>((*sizes)[i]) / size;
    if (std::floor(size * scale) != static_cast<float>((*sizes)[i])) return std::nullopt;
    scales.push_back(scale);
  }
  return scales;
}

Status resize_11(Step& step) {
  const std::string mode = step.node.attribute_or<std::string>("mode", "nearest");
  const bool is_nearest = mode == "nearest" && step.node.attribute_or<std::string>(
                                                   "nearest_mode", "round_prefer_floor") == "floor";
  if (step.node.attribute_or<std::string>("coordinate_transformation_mode", "half_pixel") != "asymmetric" ||
      (mode != "linear" && !is_nearest)) {
    return refuse(
        "there it knows only asymmetric coordinates, with linear mode or nearest mode rounding down");
  }
  if (step.node.attribute_or<std::int64_t>("exclude_outside", 0) != 0)
    return refuse("exclude_outside does not exist there");
  Value* scales = step.node.input(2);
  const Tensor* constant = constant_of(scales);
  if (scales == nullptr || (constant != nullptr && constant->count() == 0)) {
    const auto values = scales_for(step);
    if (!values) return refuse("there it takes no sizes, and no scales give exactly these");
    scales = &step.constant(Tensor::from({static_cast<std::int64_t>(values->size())}, *values), "scales");
  }
  for (const char* name : {"coordinate_transformation_mode", "nearest_mode", "cubic_coeff_a",
                           "extrapolation_value", "exclude_outside"}) {
    step.node.attributes.erase(name);
  }
  step.node.truncate_inputs(1);
  step.put_input(1, scales);
  return {};
}

Status resize_13(Step& step) {
  for (const std::size_t i : {1U, 2U}) {
    if (step.node.input(i) == nullptr)
      step.put_input(i, &step.constant(Tensor::from({0}, std::vector<float>{}), i == 1 ? "roi" : "scales"));
  }
  return {};
}

Status resize_18(Step& step) {
  const auto* axes = step.node.attribute<Integers>("axes");
  if (axes == nullptr) return {};
  const auto shape = step.node.input(0)->type.static_shape();
  const auto rank = step.rank();
  const Tensor* scales = constant_of(step.node.input(2));
  const bool by_sizes = step.node.input(3) != nullptr;
  const auto sizes = step.integers(3);
  if (!rank || !are_axes(*axes, *rank) || step.node.input(1) != nullptr ||
      (by_sizes ? !sizes || !shape || sizes->size() != axes->size() : scales == nullptr))
    return refuse("axes do not exist there, and what they leave out is not known");
  if (by_sizes) {
    Integers all = *shape;
    for (std::size_t i = 0; i < axes->size(); ++i)
      all[static_cast<std::size_t>((*axes)[i] < 0 ? (*axes)[i] + *rank : (*axes)[i])] = (*sizes)[i];
    step.put_input(3, &step.integers_constant(all, "sizes"));
  } else {
    TARMAC_TRY(const auto values, to_floats(*scales));
    step.put_input(
        2, &step.constant(Tensor::from({*rank}, spread_over_axes(values, *axes, *rank, 1.0F)), "scales"));
  }
  step.node.attributes.erase("axes");
  return {};
}
Status resize_19(Step& step) {
  if (step.node.attribute_or<std::string>("coordinate_transformation_mode", "") == "half_pixel_symmetric")
    return refuse("coordinate_transformation_mode half_pixel_symmetric does not exist there");
  return {};
}

}  // namespace

Adapter find_resize_downgrade(const std::string& op_type, std::int64_t version) {
  if (op_type == "Upsample") return version == 9 ? upsample_9 : nullptr;
  if (op_type != "Resize") return nullptr;
  switch (version) {
    case 10:
      return resize_10;
    case 11:
      return resize_11;
    case 13:
      return resize_13;
    case 18:
      return resize_18;
    case 19:
      return resize_19;
    default:
      return nullptr;
  }
}

}  // namespace tarmac::opset

#include "ops/multi_scale_deformable_attention/problem.h"

#include <limits>

#include "ops/integers.h"

namespace tarmac::ops::msda {
namespace {

Error bad_levels(const std::string& what) {
  return make_error(ErrorCode::kInvalidInput, "MultiScaleDeformableAttention: " + what);
}

/// An input that may be left out.
ConstTensorView optional_input(std::span<const ConstTensorView> inputs, std::size_t i) {
  return i < inputs.size() ? inputs[i] : ConstTensorView{};
}

Status read_levels(const ConstTensorView& shapes, const ConstTensorView& starts, Problem& problem) {
  problem.level_count = shapes.dim(0);
  if (problem.level_count > kMaxLevels) {
    return bad_levels(std::to_string(problem.level_count) + " levels, at most " + std::to_string(kMaxLevels) +
                      " are supported");
  }
  std::int64_t next = 0;
  for (std::int64_t l = 0; l < problem.level_count; ++l) {
    Level level{integer_at(shapes, 2 * l), integer_at(shapes, 2 * l + 1), next};
    const std::string name = "level " + std::to_string(l);
    const std::string size = std::to_string(level.height) + " x " + std::to_string(level.width);
    if (level.height < 0 || level.width < 0 || level.height > kMaxSide || level.width > kMaxSide)
      return bad_levels(name + " of 'spatial_shapes' is " + size + ", expected sizes from 0 to 2^24");
    const std::int64_t cells = level.height * level.width;
    if (starts.present()) level.start = integer_at(starts, l);
    if (level.start < 0 || level.start > problem.cells || cells > problem.cells - level.start) {
      return bad_levels(name + " (" + size + ") from row " + std::to_string(level.start) +
                        " does not fit 'value', which has " + std::to_string(problem.cells) + " rows");
    }
    next = level.start + cells;
    problem.level_storage[static_cast<std::size_t>(l)] = level;
  }
  return {};
}

}  // namespace

Result<Options> read_options(const Attributes& attributes) {
  Options options;
  const auto softmax = get<std::int64_t>(attributes, "softmax");
  const auto& mode = get<std::string>(attributes, "reference_mode");
  if (softmax != 0 && softmax != 1) {
    return make_error(ErrorCode::kInvalidModel, "MultiScaleDeformableAttention: softmax is " +
                                                    std::to_string(softmax) + ", expected 0 or 1");
  }
  if (mode != "levels" && mode != "points") {
    return make_error(ErrorCode::kInvalidModel, "MultiScaleDeformableAttention: reference_mode is '" + mode +
                                                    "', expected 'levels' or 'points'");
  }
  options.softmax = softmax == 1;
  options.reference_mode = mode == "points" ? ReferenceMode::kPoints : ReferenceMode::kLevels;
  return options;
}

float Problem::scale_of(std::int64_t head, std::int64_t channel) const {
  if (!value_scale.present()) return 1;
  const float* scale = value_scale.as<float>();
  const std::int64_t count = value_scale.count();
  if (count == heads * depth) return scale[head * depth + channel];
  return count == heads ? scale[head] : scale[0];
}

Result<Problem> read_problem(const Options& options, std::span<const ConstTensorView> inputs,
                             std::span<const TensorView> outputs) {
  Problem problem;
  problem.options = options;
  problem.value = inputs[0];
  problem.sampling = inputs[3];
  problem.weights = inputs[4];
  problem.reference = optional_input(inputs, 5);
  problem.value_scale = optional_input(inputs, 6);
  problem.mask = optional_input(inputs, 7);
  problem.output = outputs[0];
  problem.batch = problem.value.dim(0);
  problem.cells = problem.value.dim(1);
  problem.heads = problem.value.dim(2);
  problem.depth = problem.value.dim(3);
  problem.queries = problem.sampling.dim(1);
  problem.points = problem.sampling.dim(4);
  if (problem.reference.present()) {
    problem.references = problem.reference.dim(2);
    problem.reference_width = problem.reference.dim(3);
  }
  if (problem.cells > std::numeric_limits<std::int32_t>::max()) {
    return bad_levels("'value' has " + std::to_string(problem.cells) +
                      " rows, at most 2147483647 are supported");
  }
  TARMAC_CHECK_OK(read_levels(inputs[1], inputs[2], problem));
  return problem;
}

}  // namespace tarmac::ops::msda

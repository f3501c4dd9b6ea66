#include "cli/bench/input_shapes.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/args/shape_args.h"
#include "graph/model_io.h"
#include "plan/plan_file.h"

namespace tarmac::cli {
namespace {

bool holds_integers(const TensorInfo& input) {
  const DType dtype = input.type.dtype;
  return dtype == DType::kInt32 || dtype == DType::kInt64 || dtype == DType::kUint32 ||
         dtype == DType::kUint64;
}

}  // namespace

TensorInfo tensor_info(const TensorSpec& spec) {
  std::optional<std::vector<Dim>> shape;
  if (spec.shape) {
    shape.emplace();
    for (const TensorDim& dim : *spec.shape) {
      const auto* size = std::get_if<std::int64_t>(&dim);
      shape->push_back(size != nullptr ? Dim::of(*size) : Dim::named(std::get<std::string>(dim)));
    }
  }
  return {spec.name, Type::tensor(spec.dtype, std::move(shape))};
}

Status check_batch(const std::vector<TensorSpec>& inputs, std::int64_t batch) {
  for (const TensorSpec& input : inputs) {
    if (batch == 0 || !input.shape || input.shape->empty()) continue;
    const auto* size = std::get_if<std::int64_t>(&input.shape->front());
    if (size != nullptr && *size != batch) {
      return make_error(
          ErrorCode::kUsage,
          fmt::format("--batch {}: input '{}' has a fixed batch size of {}; export the model with "
                      "a dynamic batch, or leave --batch out",
                      batch, input.name, *size));
    }
  }
  return {};
}

Result<ShapeChoice> choose_shapes(const std::vector<std::string>& texts,
                                  const std::vector<TensorInfo>& inputs, const PlanInfo* plan,
                                  std::int64_t batch) {
  ShapeChoice choice;
  for (const std::string& text : texts) {
    TARMAC_TRY(auto named, parse_named_shape(text));
    choice.shapes.insert(std::move(named));
  }
  const ShapeRanges ranges =
      plan == nullptr || plan->profiles.empty() ? ShapeRanges() : plan->profiles.front().shapes;
  for (const TensorInfo& input : inputs) {
    if (choice.shapes.contains(input.name)) continue;
    const auto range = ranges.find(input.name);
    if (range != ranges.end()) {
      Shape& shape = choice.shapes[input.name] = range->second.opt;
      if (batch > 0 && !shape.empty()) shape.front() = batch;
      continue;
    }
    if (batch == 0 || !input.type.shape || input.type.shape->empty()) continue;
    const Dim& first = input.type.shape->front();
    if (!first.symbol.empty()) choice.symbols[first.symbol] = batch;
    if (first.known() || !first.symbol.empty()) continue;
    Shape& shape = choice.shapes[input.name];
    for (const Dim& dim : *input.type.shape) shape.push_back(dim.size.value_or(1));
    shape.front() = batch;
  }
  return choice;
}

Result<std::map<std::string, ValueRange>> ranges_of_indices(const std::string& path,
                                                            const std::vector<TensorInfo>& inputs) {
  if (std::none_of(inputs.begin(), inputs.end(), holds_integers)) return std::map<std::string, ValueRange>();
  if (!is_plan(path)) {
    TARMAC_TRY(const Model model, load_model(path));
    return index_ranges(model);
  }
  TARMAC_TRY(const PlanFile plan, PlanFile::open(path));
  TARMAC_TRY(const Model model, plan.model());
  return index_ranges(model);
}

}  // namespace tarmac::cli

#include "verify/equivalence.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "runtime/inputs.h"
#include "tensor/codec.h"
#include "verify/corners.h"
#include "verify/reference_engine.h"

namespace tarmac {
namespace {

constexpr double kIntegerShare = 1e-3;
/// Tried in this order for sizes that neither model nor profile gives; multiples of what networks divide by.
constexpr std::array<std::int64_t, 5> kOpenSizes = {64, 224, 16, 8, 1};

constexpr std::array<ValueRange, 3> kFloatRanges = {{{0, 1}, {-1, 1}, {-4, 4}}};

/// Fills in what kind of values the k-th made-up sample has.
std::map<std::string, ValueRange> ranges_for(std::span<const TensorInfo> inputs,
                                             const std::map<std::string, ValueRange>& indices,
                                             std::size_t sample) {
  std::map<std::string, ValueRange> ranges = indices;
  for (const TensorInfo& info : inputs) {
    if (is_floating_point(info.type.dtype)) ranges[info.name] = kFloatRanges[sample % kFloatRanges.size()];
  }
  return ranges;
}

bool admits(std::span<const TensorInfo> inputs, const NamedTensors& tensors) {
  return std::all_of(inputs.begin(), inputs.end(), [&](const TensorInfo& info) {
    const auto tensor = tensors.find(info.name);
    if (tensor == tensors.end() || !info.type.shape) return true;
    const Shape& shape = tensor->second.shape();
    return std::equal(shape.begin(), shape.end(), info.type.shape->begin(), info.type.shape->end(),
                      [](std::int64_t size, const Dim& dim) { return !dim.known() || *dim.size == size; });
  });
}

bool has_finite(const Tensor& tensor) {
  if (!is_floating_point(tensor.dtype()) || tensor.count() == 0) return true;
  const auto values = to_doubles(tensor);
  return !values || std::any_of(values->begin(), values->end(), [](double x) { return std::isfinite(x); });
}

std::int64_t count_differing(const Tensor& expected, const Tensor& found) {
  const auto e = to_doubles(expected);
  const auto f = to_doubles(found);
  if (!e || !f) return expected.count();
  std::int64_t count = 0;
  for (std::size_t i = 0; i < e->size(); ++i) count += (*e)[i] == (*f)[i] ? 0 : 1;
  return count;
}

/// Both models, compiled, and what they gave so far.
class Comparison {
 public:
  Comparison(Executable& original, Executable& other, Context& original_context, Context& other_context,
             EquivalenceReport& report)
      : original_(original),
        other_(other),
        original_context_(original_context),
        other_context_(other_context),
        report_(report) {}

  /// Compares one sample; what the original cannot run is noted in the corner.
  Status add(const NamedTensors& inputs, ComparedCorner& corner) {
    auto expected = run_once(original_context_, original_, inputs);
    if (!expected) {
      corner.not_run = expected.error().str();
      return {};
    }
    ++corner.runs;
    const auto found = run_once(other_context_, other_, inputs);
    if (!found) {
      note({}, corner, "the result does not run: " + found.error().str(), inputs);
      return {};
    }
    for (const auto& [name, tensor] : *expected) {
      ComparedOutput& output = output_of(corner, name, tensor.dtype());
      const bool finite = has_finite(tensor);
      output.only_nan = output.only_nan && !finite;
      const auto result = found->find(name);
      const std::string problem =
          result == found->end() ? "the output is gone" : judge_output(tensor, result->second, output);
      if (problem.empty() || output.random) continue;
      TARMAC_TRY(output.random, is_random(name, tensor, inputs));
      if (output.random) continue;
      output.passed = false;
      note(name, corner, problem, inputs);
    }
    return {};
  }

 private:
  static ComparedOutput& output_of(ComparedCorner& corner, const std::string& name, DType dtype) {
    for (ComparedOutput& output : corner.outputs) {
      if (output.output == name) return output;
    }
    ComparedOutput& output = corner.outputs.emplace_back();
    output.output = name;
    output.dtype = dtype;
    output.limit = equivalence_limit(dtype);
    output.only_nan = true;
    return output;
  }

  Result<bool> is_random(const std::string& name, const Tensor& expected, const NamedTensors& inputs) {
    TARMAC_TRY(const auto again, run_once(original_context_, original_, inputs));
    ComparedOutput unused;
    return !judge_output(expected, again.at(name), unused).empty();
  }

  void note(const std::string& output, const ComparedCorner& corner, const std::string& what,
            const NamedTensors& inputs) {
    if (report_.difference) return;
    report_.difference = Difference{output, corner.shapes, corner.data, what, inputs};
  }

  Executable& original_;
  Executable& other_;
  Context& original_context_;
  Context& other_context_;
  EquivalenceReport& report_;
};

class Prover {
 public:
  Prover(const Model& original, const EquivalenceOptions& options, EquivalenceReport& report,
         Progress& progress)
      : options_(options), indices_(index_ranges(original)), report_(report), progress_(progress) {}

  Status run(Executable& original, Executable& other) {
    TARMAC_TRY(const auto original_context, original.create_context());
    TARMAC_TRY(const auto other_context, other.create_context());
    Comparison comparison(original, other, *original_context, *other_context, report_);
    // Where one side leaves a size open that the other fixed, the fixed one counts.
    const std::vector<TensorInfo> inputs = narrowed(original.inputs(), other.inputs());
    TARMAC_TRY(const std::vector<Corner> corners, choose_corners(inputs, original, *original_context));
    progress_.start("verify", corners.size() * options_.made_up_samples + options_.data_batches.size());
    if (options_.data) TARMAC_CHECK_OK(compare_data(inputs, comparison));
    for (const Corner& corner : corners) TARMAC_CHECK_OK(compare_made_up(inputs, corner, comparison));
    progress_.finish();
    const bool ran = std::any_of(report_.corners.begin(), report_.corners.end(),
                                 [](const ComparedCorner& corner) { return corner.runs > 0; });
    if (ran) return {};
    const std::string why = report_.corners.empty() ? "no samples" : report_.corners.front().not_run;
    return make_error(
        ErrorCode::kInvalidInput,
        "nothing could be compared: the original model itself does not run on made-up inputs (" + why +
            "); give real ones with --data or a contract, or shapes with --profile");
  }

 private:
  static std::vector<TensorInfo> narrowed(std::vector<TensorInfo> inputs,
                                          const std::vector<TensorInfo>& others) {
    for (TensorInfo& info : inputs) {
      for (const TensorInfo& other : others) {
        const bool comparable = other.name == info.name && info.type.shape && other.type.shape &&
                                info.type.shape->size() == other.type.shape->size();
        for (std::size_t i = 0; comparable && i < info.type.shape->size(); ++i) {
          if ((*other.type.shape)[i].known()) (*info.type.shape)[i] = (*other.type.shape)[i];
        }
      }
    }
    return inputs;
  }

  Status cancelled() const {
    if (!progress_.cancelled()) return {};
    return make_error(ErrorCode::kCancelled, "the comparison was interrupted");
  }

  Result<std::vector<Corner>> choose_corners(std::span<const TensorInfo> inputs, Executable& original,
                                             Context& context) {
    if (!options_.profiles.empty()) {
      TARMAC_TRY(Corners found, profile_corners(inputs, options_.profiles));
      report_.corners_left_out = found.left_out;
      return std::move(found.corners);
    }
    std::vector<Corner> first;
    for (const std::int64_t size : kOpenSizes) {
      std::vector<Corner> corners = default_corners(inputs, size);
      if (!has_open_sizes(inputs)) return corners;
      if (first.empty()) first = corners;
      TARMAC_CHECK_OK(cancelled());
      if (!runs(inputs, corners.front(), original, context)) continue;
      // The same once more at another size, where that runs too.
      Corner larger = default_corners(inputs, 2 * size).front();
      if (runs(inputs, larger, original, context)) corners.push_back(std::move(larger));
      return corners;
    }
    return first;
  }

  [[nodiscard]] Result<NamedTensors> made_up(std::span<const TensorInfo> inputs, const Corner& corner,
                                             std::size_t sample) const {
    return random_inputs(inputs, corner.shapes, sample + 1, ranges_for(inputs, indices_, sample));
  }

  [[nodiscard]] bool runs(std::span<const TensorInfo> inputs, const Corner& corner, Executable& original,
                          Context& context) const {
    const auto tensors = made_up(inputs, corner, 0);
    return tensors && run_once(context, original, *tensors).ok();
  }

  Status compare_made_up(std::span<const TensorInfo> inputs, const Corner& corner, Comparison& comparison) {
    ComparedCorner& compared = report_.corners.emplace_back();
    compared.shapes = corner.name;
    compared.data = "made up";
    for (std::size_t sample = 0; sample < options_.made_up_samples; ++sample) {
      TARMAC_CHECK_OK(cancelled());
      TARMAC_TRY(const NamedTensors tensors, made_up(inputs, corner, sample));
      if (compared.not_run.empty()) TARMAC_CHECK_OK(comparison.add(tensors, compared));
      progress_.advance();
    }
    return {};
  }

  Status compare_data(std::span<const TensorInfo> shapes, Comparison& comparison) {
    for (const std::size_t batch : options_.data_batches) {
      ComparedCorner& compared = report_.corners.emplace_back();
      compared.shapes = fmt::format("batch={}", batch);
      compared.data = options_.data_name;
      TARMAC_TRY(const SampleSource next, options_.data(batch));
      std::size_t passed_over = 0;
      while (true) {
        TARMAC_CHECK_OK(cancelled());
        TARMAC_TRY(const auto inputs, next());
        if (!inputs) break;
        if (admits(shapes, *inputs)) {
          TARMAC_CHECK_OK(comparison.add(*inputs, compared));
        } else {
          ++passed_over;
        }
      }
      if (compared.runs == 0 && compared.not_run.empty())
        compared.not_run =
            fmt::format("{} batches are of shapes that the result was not made for", passed_over);
      progress_.advance();
    }
    return {};
  }

  const EquivalenceOptions& options_;
  std::map<std::string, ValueRange> indices_;
  EquivalenceReport& report_;
  Progress& progress_;
};

}  // namespace

std::vector<std::size_t> batches_to_compare(const Model& model) {
  for (const Value* input : model.graph->inputs()) {
    if (input->initializer() != nullptr || !input->type.shape || input->type.shape->empty()) continue;
    if (const auto size = input->type.shape->front().size) return {static_cast<std::size_t>(*size)};
  }
  return {1, 4};
}

double equivalence_limit(DType dtype) {
  switch (dtype) {
    case DType::kFloat64:
      return 1e-6;
    case DType::kFloat32:
      return 1e-3;
    case DType::kFloat16:
      return 1e-2;
    case DType::kString:
      return 0;
    default:
      return is_floating_point(dtype) ? 5e-2 : kIntegerShare;
  }
}

std::string judge_output(const Tensor& expected, const Tensor& found, ComparedOutput& compared) {
  const auto text = [](const Tensor& tensor) {
    return to_string(Type::tensor(tensor.dtype(), tensor.shape()));
  };
  if (expected.dtype() != found.dtype() || expected.shape() != found.shape()) {
    compared.problem = "found " + text(found) + ", expected " + text(expected);
    return compared.problem;
  }
  if (expected.dtype() == DType::kString) {
    if (expected.strings() == found.strings()) return {};
    compared.problem = "strings differ";
    return compared.problem;
  }
  const auto metrics = compare_tensors(expected, found);
  if (!metrics) {
    compared.problem = metrics.error().message;
    return compared.problem;
  }
  const bool first = compared.metrics.count == 0;
  compared.metrics = first ? *metrics : combine(compared.metrics, *metrics);
  const double limit = equivalence_limit(expected.dtype());
  if (is_floating_point(expected.dtype())) {
    const bool mismatched = metrics->nan_mismatches + metrics->infinity_mismatches > 0;
    if (metrics->within(limit) || (!mismatched && metrics->max_abs <= limit * kSmallestRange)) return {};
    if (mismatched) {
      return fmt::format("{} of {} elements are NaN or infinite on one side only",
                         metrics->nan_mismatches + metrics->infinity_mismatches, metrics->count);
    }
    return fmt::format("the largest error is {:.3g} % of the output's range, allowed for {} is {:g} %",
                       100 * metrics->max_rel, to_string(expected.dtype()), 100 * limit);
  }
  const std::int64_t differing = count_differing(expected, found);
  if (static_cast<double>(differing) <= limit * static_cast<double>(expected.count())) return {};
  return fmt::format("{} of {} elements differ, allowed for {} is 1 in 1000", differing, expected.count(),
                     to_string(expected.dtype()));
}

Result<EquivalenceReport> compare_models(const Model& original, const Model& other,
                                         const EquivalenceOptions& options, Progress& progress) {
  EquivalenceReport report;
  TARMAC_TRY(Target* const engine, reference_target());
  report.engine = engine->version();
  TARMAC_TRY(const auto original_executable, compile_reference(original, progress));
  auto other_executable = compile_reference(other, progress);
  if (!other_executable) {
    report.difference =
        Difference{{}, {}, {}, "the result does not run: " + other_executable.error().str(), {}};
    return report;
  }
  TARMAC_CHECK_OK(Prover(original, options, report, progress).run(*original_executable, **other_executable));
  return report;
}

}  // namespace tarmac

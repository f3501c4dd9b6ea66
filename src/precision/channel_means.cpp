#include "precision/channel_means.h"

#include <algorithm>
#include <cmath>

#include "graph/model_io.h"
#include "passes/rewrite.h"

namespace tarmac {
namespace {

/// ReduceMean takes its axes as an input from here on.
constexpr std::int64_t kAxesAsInput = 18;

enum class Reduction : std::uint8_t { kMean, kMeanAbs, kMaxAbs };

/// Name of an output of the observing model → what it is of.
struct Observed {
  std::string value;
  Reduction reduction = Reduction::kMean;
};

class Observer {
 public:
  explicit Observer(const Model& model) : model_(clone_model(model)), graph_(*model_.graph) {}

  Status add(const ChannelAxis& wanted, const MeasureChannelsOptions& options) {
    Value* value = graph_.find(wanted.value);
    if (value == nullptr)
      return make_error(ErrorCode::kNotFound, "no value '" + wanted.value + "' to observe", wanted.value);
    const auto rank = rank_of(value);
    if (!rank || *rank <= wanted.axis || value->type.dtype != DType::kFloat32) {
      return make_error(
          ErrorCode::kInvalidInput,
          "expected a float32 tensor of known rank with the axis " + std::to_string(wanted.axis),
          wanted.value);
    }
    if (options.means) reduce(*value, wanted.axis, *rank, Reduction::kMean);
    if (options.magnitudes) {
      Value& magnitude = graph_.add_op("Abs", {value}, value->name() + "_abs");
      reduce(magnitude, wanted.axis, *rank, Reduction::kMeanAbs, value->name());
      reduce(magnitude, wanted.axis, *rank, Reduction::kMaxAbs, value->name());
    }
    return {};
  }

  [[nodiscard]] const Model& model() const { return model_; }
  [[nodiscard]] const std::map<std::string, Observed>& observed() const { return observed_; }

 private:
  /// [samples, channels], so that samples that only fill up a batch can be told apart.
  void reduce(Value& value, std::size_t axis, std::size_t rank, Reduction reduction,
              const std::string& of = {}) {
    std::vector<std::int64_t> axes;
    for (std::size_t i = 1; i < rank; ++i) {
      if (i != axis) axes.push_back(static_cast<std::int64_t>(i));
    }
    Value* result = &value;
    if (!axes.empty()) {
      const bool maximum = reduction == Reduction::kMaxAbs;
      result = &graph_.add_op(maximum ? "ReduceMax" : "ReduceMean", {&value}, value.name() + "_reduced");
      Node& node = *result->producer();
      set_integers(graph_, node, "axes", 1, model_.opset() >= kAxesAsInput, axes);
      node.attributes["keepdims"] = std::int64_t{0};
    } else {
      result = &graph_.add_op("Identity", {&value}, value.name() + "_reduced");
    }
    result->type = Type::tensor(DType::kFloat32);
    graph_.add_output(*result);
    observed_[result->name()] = {of.empty() ? value.name() : of, reduction};
  }

  Model model_;
  Graph& graph_;
  std::map<std::string, Observed> observed_;
};

/// Adds the rows of `tensor` that belong to samples: sums for means, largest for maxima.
Status add_rows(const Tensor& tensor, const CalibrationBatch& batch, const Observed& observed,
                std::vector<double>& into, double& rows) {
  if (tensor.dtype() != DType::kFloat32 || tensor.shape().size() != 2)
    return make_error(ErrorCode::kInvalidInput, "expected rows of float32", observed.value);
  const auto channels = static_cast<std::size_t>(tensor.shape()[1]);
  const auto all = static_cast<std::size_t>(tensor.shape()[0]);
  const std::size_t count = counted_rows(all, batch);
  if (into.empty()) into.assign(channels, 0.0);
  if (into.size() != channels)
    return make_error(ErrorCode::kInvalidInput, "its number of channels changes", observed.value);
  const auto values = tensor.data<float>();
  for (std::size_t i = 0; i < count * channels; ++i) {
    if (!std::isfinite(values[i]))
      return make_error(ErrorCode::kInvalidInput, "NaN or infinity on the data", observed.value);
    double& slot = into[i % channels];
    slot = observed.reduction == Reduction::kMaxAbs ? std::max(slot, static_cast<double>(values[i]))
                                                    : slot + static_cast<double>(values[i]);
  }
  rows += static_cast<double>(count);
  return {};
}

}  // namespace

Result<std::map<std::string, ChannelStatistics>> measure_channels(
    const Model& model, const std::vector<ChannelAxis>& values, Target& target,
    const MeasureChannelsOptions& options, const CalibrationSource& next_batch, Progress& progress) {
  Observer observer(model);
  for (const ChannelAxis& value : values) TARMAC_CHECK_OK(observer.add(value, options));
  TARMAC_TRY(const auto executable, target.compile(observer.model(), options.compile, progress));
  TARMAC_TRY(const auto context, executable->create_context());
  std::map<std::string, std::vector<double>> sums;
  std::map<std::string, double> rows;
  std::size_t samples = 0;
  while (samples < options.most_samples) {
    if (progress.cancelled())
      return make_error(ErrorCode::kCancelled, "interrupted while channels were measured");
    TARMAC_TRY(const auto batch, next_batch());
    if (!batch) break;
    for (const auto& [name, tensor] : batch->inputs) TARMAC_CHECK_OK(context->set_input(name, tensor));
    TARMAC_CHECK_OK(context->run());
    for (const auto& [output, observed] : observer.observed()) {
      TARMAC_TRY(const Tensor tensor, context->output(output));
      TARMAC_CHECK_OK(add_rows(tensor, *batch, observed, sums[output], rows[output]));
    }
    samples += batch->samples;
    progress.advance();
  }
  if (samples == 0)
    return make_error(ErrorCode::kInvalidInput,
                      "no data to measure channels on; expected at least one sample");
  std::map<std::string, ChannelStatistics> found;
  for (const auto& [output, observed] : observer.observed()) {
    std::vector<double>& numbers = sums[output];
    if (observed.reduction != Reduction::kMaxAbs) {
      for (double& number : numbers) number /= std::max(rows[output], 1.0);
    }
    ChannelStatistics& statistics = found[observed.value];
    (observed.reduction == Reduction::kMean      ? statistics.mean
     : observed.reduction == Reduction::kMeanAbs ? statistics.mean_abs
                                                 : statistics.max_abs) = std::move(numbers);
  }
  return found;
}

}  // namespace tarmac

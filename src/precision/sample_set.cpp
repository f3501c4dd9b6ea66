#include "precision/sample_set.h"

#include <cmath>
#include <limits>

namespace tarmac {
namespace {

Status run(Context& context, const CalibrationBatch& batch) {
  for (const auto& [name, tensor] : batch.inputs) TARMAC_CHECK_OK(context.set_input(name, tensor));
  return context.run();
}

struct Squares {
  double signal = 0;
  double noise = 0;
};

void add(const Tensor& reference, const Tensor& other, Squares& squares) {
  const auto expected = reference.data<float>();
  const auto found = other.data<float>();
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double value = expected[i];
    if (!std::isfinite(value)) continue;
    const double error = static_cast<double>(found[i]) - value;
    squares.signal += value * value;
    squares.noise += std::isfinite(error) ? error * error : std::numeric_limits<double>::infinity();
  }
}

class TwoModels final : public OutputNoise {
 public:
  TwoModels(std::unique_ptr<Executable> reference, std::unique_ptr<Context> context, Target& target,
            CompileOptions options, const SampleSet& samples, Progress& progress)
      : reference_(std::move(reference)),
        context_(std::move(context)),
        target_(target),
        options_(std::move(options)),
        samples_(samples),
        progress_(progress) {}

  Result<double> of(const Model& other) override {
    TARMAC_TRY(const auto executable, target_.compile(other, options_, progress_));
    TARMAC_TRY(const auto context, executable->create_context());
    std::map<std::string, Squares> squares;
    for (const CalibrationBatch& batch : samples_) {
      if (progress_.cancelled())
        return make_error(ErrorCode::kCancelled, "interrupted while models were compared");
      TARMAC_CHECK_OK(run(*context_, batch));
      TARMAC_CHECK_OK(run(*context, batch));
      for (const TensorInfo& output : reference_->outputs()) {
        TARMAC_TRY(const Tensor expected, context_->output(output.name));
        TARMAC_TRY(const Tensor found, context->output(output.name));
        // Detections come in numbers that depend on the scores.
        if (expected.dtype() != DType::kFloat32 || found.shape() != expected.shape()) continue;
        add(expected, found, squares[output.name]);
      }
    }
    double noise = 0;
    double outputs = 0;
    for (const auto& [name, of_output] : squares) {
      if (!(of_output.signal > 0)) continue;
      noise += of_output.noise / of_output.signal;
      ++outputs;
    }
    return outputs > 0 ? noise / outputs : 0.0;
  }

 private:
  std::unique_ptr<Executable> reference_;
  std::unique_ptr<Context> context_;
  Target& target_;
  const CompileOptions options_;
  const SampleSet& samples_;
  Progress& progress_;
};

}  // namespace

std::uint64_t bytes_of(const CalibrationBatch& batch) {
  std::uint64_t bytes = 0;
  for (const auto& [name, tensor] : batch.inputs) bytes += tensor.bytes().size();
  return bytes;
}

Result<SampleSet> take_samples(const CalibrationSource& next_batch, std::size_t most_samples,
                               std::uint64_t most_bytes) {
  SampleSet taken;
  std::size_t samples = 0;
  std::uint64_t bytes = 0;
  while (samples < most_samples) {
    TARMAC_TRY(auto batch, next_batch());
    if (!batch) break;
    bytes += bytes_of(*batch);
    if (!taken.empty() && bytes > most_bytes) break;
    samples += batch->samples;
    taken.push_back(*std::move(batch));
  }
  if (taken.empty())
    return make_error(ErrorCode::kInvalidInput, "no calibration data; expected at least one sample");
  return taken;
}

CalibrationSource replay(const SampleSet& samples) {
  return [&samples, next = std::size_t{0}]() mutable -> Result<std::optional<CalibrationBatch>> {
    if (next == samples.size()) return std::optional<CalibrationBatch>();
    return std::optional(samples[next++]);
  };
}

Halves halves(const SampleSet& samples) {
  if (samples.size() < 2) return {samples, samples};
  Halves found;
  for (std::size_t i = 0; i < samples.size(); ++i)
    (i % 2 == 0 ? found.fit : found.judge).push_back(samples[i]);
  return found;
}

Result<std::unique_ptr<OutputNoise>> OutputNoise::open(const Model& reference, Target& target,
                                                       const CompileOptions& options,
                                                       const SampleSet& samples, Progress& progress) {
  TARMAC_TRY(auto executable, target.compile(reference, options, progress));
  TARMAC_TRY(auto context, executable->create_context());
  return std::unique_ptr<OutputNoise>(std::make_unique<TwoModels>(std::move(executable), std::move(context),
                                                                  target, options, samples, progress));
}

}  // namespace tarmac

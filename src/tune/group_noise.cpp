#include "tune/group_noise.h"

#include <cmath>
#include <limits>

#include "runtime/compile.h"
#include "runtime/inputs.h"

namespace tarmac {
namespace {

Result<double> scalar(Context& context, const std::string& output) {
  TARMAC_TRY(const Tensor tensor, context.output(output));
  return static_cast<double>(tensor.data<float>()[0]);
}

}  // namespace

double GroupNoise::snr_db() const {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (std::isnan(signal) || std::isnan(noise)) return -kInfinity;
  return noise > 0 ? 10 * std::log10(signal / noise) : kInfinity;
}

Result<std::vector<GroupNoise>> measure_noise(const TwinParts& parts, Target& target,
                                              const CompileOptions& options, std::span<const Batch> batches,
                                              Progress& progress) {
  if (batches.empty()) return make_error(ErrorCode::kInvalidInput, "there is no sample to measure noise on");
  TARMAC_TRY(NoiseModel twins, make_noise_model(parts));
  TARMAC_TRY(const auto executable, compile_model(target, twins.model, options, progress));
  TARMAC_TRY(const auto context, executable->create_context());
  std::vector<GroupNoise> groups(twins.groups.size());
  progress.start("measure noise of " + std::to_string(groups.size()) + " groups", batches.size());
  for (const Batch& batch : batches) {
    if (progress.cancelled()) return make_error(ErrorCode::kCancelled, "measuring noise was interrupted");
    TARMAC_CHECK_OK(bind_inputs(*context, batch.inputs));
    TARMAC_CHECK_OK(context->run());
    for (std::size_t i = 0; i < groups.size(); ++i) {
      TARMAC_TRY(const double signal, scalar(*context, twins.groups[i].signal));
      TARMAC_TRY(const double noise, scalar(*context, twins.groups[i].noise));
      groups[i].signal += signal;
      groups[i].noise += noise;
    }
    progress.advance();
  }
  progress.finish();
  return groups;
}

}  // namespace tarmac

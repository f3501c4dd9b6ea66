#include "precision/activation_profile.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <set>

#include "precision/quantize_weights.h"

namespace tarmac {
namespace {

/// Sums, and a sample of the rows by Vitter's algorithm R.
class Profiler {
 public:
  Status add(const std::string& name, const Tensor& tensor, std::size_t rows) {
    if (tensor.dtype() != DType::kFloat32 || tensor.shape().empty()) {
      return make_error(ErrorCode::kInvalidInput,
                        std::string("expected rows of float32, found ") + to_string(tensor.dtype()) +
                            to_string(tensor.shape()),
                        name);
    }
    const auto channels = static_cast<std::size_t>(tensor.shape().back());
    if (channels_ == 0) channels_ = channels;
    if (channels != channels_)
      return make_error(ErrorCode::kInvalidInput, "the number of channels changes between batches", name);
    profile_.mean_abs.resize(channels);
    profile_.mean_square.resize(channels);
    const auto values = tensor.data<float>();
    for (std::size_t row = 0; row < rows; ++row) TARMAC_CHECK_OK(add_row(name, &values[row * channels]));
    return {};
  }

  ActivationProfile take() {
    const auto count = static_cast<double>(std::max<std::size_t>(profile_.count, 1));
    for (double& sum : profile_.mean_abs) sum /= count;
    for (double& sum : profile_.mean_square) sum /= count;
    return std::move(profile_);
  }

 private:
  Status add_row(const std::string& name, const float* row) {
    double sum = 0;
    for (std::size_t c = 0; c < channels_; ++c) {
      const auto x = static_cast<double>(row[c]);
      sum += x;
      profile_.mean_abs[c] += std::fabs(x);
      profile_.mean_square[c] += x * x;
    }
    if (!std::isfinite(sum)) {
      return make_error(
          ErrorCode::kInvalidInput,
          "NaN or infinity during calibration; check the preprocessing and the model on this data", name);
    }
    std::size_t place = profile_.count++;
    if (place >= kProfiledRows) place = std::uniform_int_distribution<std::size_t>(0, place)(random_);
    if (place >= kProfiledRows) return {};
    if (profile_.rows.size() < (place + 1) * channels_) profile_.rows.resize((place + 1) * channels_);
    std::copy_n(row, channels_, profile_.rows.begin() + static_cast<std::ptrdiff_t>(place * channels_));
    return {};
  }

  ActivationProfile profile_;
  std::size_t channels_ = 0;
  std::mt19937_64 random_;  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same rows every time
};

/// Rows [channels] of the samples that count.
std::size_t counted_channels(const Tensor& tensor, const CalibrationBatch& batch) {
  if (tensor.shape().empty() || tensor.count() == 0) return 0;
  const auto first = static_cast<std::size_t>(tensor.shape().front());
  const auto rows = static_cast<std::size_t>(tensor.count() / tensor.shape().back());
  return rows / first * counted_rows(first, batch);
}

}  // namespace

Result<ActivationProfiles> profile_activations(const Model& model, const std::vector<std::string>& values,
                                               Target& target, const CompileOptions& options,
                                               const CalibrationSource& next_batch, Progress& progress) {
  for (const std::string& name : values) {
    if (model.graph->find(name) == nullptr)
      return make_error(ErrorCode::kNotFound, "no value '" + name + "' to observe", name);
  }
  const std::vector<StateSpec> no_state;
  ObservedRun runs(model, values, target, options, no_state);
  std::map<std::string, Profiler> profilers;
  bool any = false;
  while (true) {
    if (progress.cancelled()) return make_error(ErrorCode::kCancelled, "interrupted during calibration");
    TARMAC_TRY(auto batch, next_batch());
    if (!batch) break;
    any = true;
    TARMAC_CHECK_OK(runs.run(*batch, progress));
    for (std::size_t i = 0; i < values.size(); ++i) {
      const Tensor& tensor = runs.tensors()[i];
      TARMAC_CHECK_OK(profilers[values[i]].add(values[i], tensor, counted_channels(tensor, *batch)));
    }
    progress.advance();
  }
  if (!any) return make_error(ErrorCode::kInvalidInput, "no calibration data; expected at least one sample");
  ActivationProfiles profiles;
  for (auto& [name, profiler] : profilers) profiles.emplace(name, profiler.take());
  return profiles;
}

std::vector<std::string> activations_of_products(const Model& model) {
  std::vector<std::string> names;
  std::set<const Value*> seen;
  for (const Node* node : products_for_blocks(model)) {
    if (seen.insert(node->input(0)).second) names.push_back(node->input(0)->name());
  }
  return names;
}

}  // namespace tarmac

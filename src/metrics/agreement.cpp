#include "metrics/agreement.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "metrics/class_map.h"
#include "metrics/error_metrics.h"

namespace tarmac {
namespace {

/// 1 - Σ (a - r)² / Σ r², not a number where a sum is none. Searches ask for it again and again, and
/// compare_tensors() measures far more.
Result<double> reproduced_power(const Tensor& reference, const Tensor& other) {
  TARMAC_TRY(const Tensor aligned_reference, reference.aligned());
  TARMAC_TRY(const Tensor aligned_other, other.aligned());
  const auto expected = aligned_reference.data<float>();
  const auto found = aligned_other.data<float>();
  double noise = 0;
  double power = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double r = expected[i];
    const double error = found[i] - r;
    noise += error * error;
    power += r * r;
  }
  return 1 - noise / power;
}

}  // namespace

Result<double> agreement_of_values(const Tensor& reference, const Tensor& other) {
  if (reference.shape() == other.shape() && reference.dtype() == DType::kFloat32 &&
      other.dtype() == DType::kFloat32) {
    TARMAC_TRY(const double reproduced, reproduced_power(reference, other));
    if (std::isfinite(reproduced)) return std::max(0.0, reproduced);
  }
  TARMAC_TRY(const ErrorMetrics found, compare_tensors(reference, other));
  if (found.nan_mismatches + found.infinity_mismatches > 0) return 0.0;
  return std::max(0.0, 1 - std::pow(10.0, -found.snr_db / 10));
}

Result<double> agreement_of_classes(const Tensor& reference, const Tensor& other, double threshold) {
  if (reference.shape() != other.shape()) {
    return make_error(ErrorCode::kInvalidInput, "cannot compare shape " + to_string(other.shape()) +
                                                    " with the reference's " + to_string(reference.shape()) +
                                                    "; they must be equal");
  }
  TARMAC_TRY(const ClassMap expected, class_map(reference, threshold));
  TARMAC_TRY(const ClassMap found, class_map(other, threshold));
  if (expected.classes.empty()) return 1.0;
  std::int64_t same = 0;
  for (std::size_t i = 0; i < expected.classes.size(); ++i)
    same += expected.classes[i] == found.classes[i] ? 1 : 0;
  return static_cast<double>(same) / static_cast<double>(expected.classes.size());
}

double agreement_of_boxes(std::span<const Detection> reference, std::span<const Detection> other) {
  constexpr double kLeastIou = 0.5;
  if (reference.empty() && other.empty()) return 1;
  std::vector<const Detection*> ordered;
  for (const Detection& one : other) ordered.push_back(&one);
  std::stable_sort(ordered.begin(), ordered.end(),
                   [](const auto* a, const auto* b) { return a->score > b->score; });
  std::vector<bool> taken(reference.size(), false);
  std::int64_t matched = 0;
  for (const Detection* one : ordered) {
    double best = kLeastIou;
    std::size_t chosen = reference.size();
    for (std::size_t r = 0; r < reference.size(); ++r) {
      if (taken[r] || reference[r].label != one->label) continue;
      const double found = intersection_over_union(reference[r].box, one->box);
      if (found < best || (found == best && chosen < reference.size())) continue;
      best = found;
      chosen = r;
    }
    if (chosen == reference.size()) continue;
    taken[chosen] = true;
    ++matched;
  }
  return 2 * static_cast<double>(matched) / static_cast<double>(reference.size() + other.size());
}

double AgreementMetrics::worst() const {
  return values_.empty() ? 0 : *std::min_element(values_.begin(), values_.end());
}

std::size_t AgreementMetrics::worst_sample() const {
  return static_cast<std::size_t>(std::min_element(values_.begin(), values_.end()) - values_.begin());
}

double AgreementMetrics::mean() const {
  if (values_.empty()) return 0;
  return std::accumulate(values_.begin(), values_.end(), 0.0) / static_cast<double>(values_.size());
}

}  // namespace tarmac

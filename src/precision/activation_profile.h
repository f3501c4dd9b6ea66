// What the inputs of matrix products are like on real data, for rounding weights by what it does to results.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "precision/calibrate.h"

namespace tarmac {

/// Of an activation [..., channels], over all rows of all samples.
struct ActivationProfile {
  std::size_t count = 0;            ///< rows seen
  std::vector<double> mean_abs;     ///< of each channel: mean |x|
  std::vector<double> mean_square;  ///< and mean x²
  std::vector<float> rows;          ///< [kProfiledRows at most, channels], drawn uniformly from all rows
};
inline constexpr std::size_t kProfiledRows = 64;
using ActivationProfiles = std::map<std::string, ActivationProfile>;

/// The activations that products with stored matrices read, in 4 bits if quantize_weights() gets them.
std::vector<std::string> activations_of_products(const Model& model);

/// Runs every batch through `model` on `target` with `values` as further outputs. Memory depends on the
/// number of channels, not of samples. Errors: kInvalidInput when there is no data, or a value is NaN or
/// infinite; kNotFound for a value that is not there, kCancelled, the target's.
Result<ActivationProfiles> profile_activations(const Model& model, const std::vector<std::string>& values,
                                               Target& target, const CompileOptions& options,
                                               const CalibrationSource& next_batch, Progress& progress);

}  // namespace tarmac

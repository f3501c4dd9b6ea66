// Which input channels of a product deserve the finer steps: Lin et al., "AWQ: activation-aware weight
// quantization for on-device LLM compression and acceleration", MLSys 2024.
//   x·W = (x / s)·(s·W), s_k = (mean|x_k|)^α normalised to √(max·min) = 1; α by the smallest ‖x·W −
//   (x/s)·Q(s·W)‖
#pragma once

#include <span>
#include <vector>

#include "precision/activation_profile.h"
#include "precision/weight_blocks.h"

namespace tarmac {

/// A stored matrix, float32 in row-major order.
struct ProductMatrix {
  std::span<const float> values;
  BlockLayout layout;
};

struct AwareChoice {
  std::vector<float> scale;  ///< of each input channel; empty: all 1
  /// For each matrix: whether ranges are narrowed by importance(), and the relative errors as in
  /// RewrittenNode.
  struct Figures {
    bool narrow = false;
    double nearest_error = 0;
    double error = 0;
  };
  std::vector<Figures> matrices;
};

/// The best scale for all products that read one activation. At most 512 columns of each matrix are tried on
/// the profile's rows. `may_scale`: false tries narrowing alone.
AwareChoice choose_scale(const ActivationProfile& profile, const std::vector<ProductMatrix>& matrices,
                         bool may_scale);

/// Weights for the squared errors of s·W's rows: mean x² / s².
std::vector<float> importance(const ActivationProfile& profile, const std::vector<float>& scale);

}  // namespace tarmac

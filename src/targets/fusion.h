// What an engine computes as one INT8 kernel: what precision/fusion_groups.h finds in a model.
#pragma once

#include <set>
#include <span>
#include <string_view>

namespace tarmac {

class Target;

/// Operators of the ONNX domain by name. Empty sets: the engine has no INT8 kernels that Q/DQ nodes reach.
struct FusionRules {
  using Names = std::set<std::string_view>;

  Names weighted;     ///< with stored weights: INT8 in, 32-bit sums, INT8 or float out
  Names arithmetic;   ///< on activations alone, each with its own scale
  Names movement;     ///< whose results are values of their inputs: one scale before and behind
  Names activations;  ///< computed by the kernel of the node before, on its 32-bit sums; other inputs are
                      ///< constant
  /// Whether kernels of operators in `movement` take INT8 only between two pairs of Q/DQ nodes.
  bool pairs_around_movement = false;
  /// Whether kernels of `weighted` are used only where a pair of Q/DQ nodes follows them.
  bool pairs_after_weighted = false;
};

/// What all of these have, with the pairs around movement that any of them wants: what a portable file may
/// rely on. Targets without INT8 kernels do not count; of none there is nothing.
FusionRules common_fusion_rules(std::span<Target* const> targets);

}  // namespace tarmac

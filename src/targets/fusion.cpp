#include "targets/fusion.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "targets/target.h"

namespace tarmac {
namespace {

FusionRules::Names common(const FusionRules::Names& a, const FusionRules::Names& b) {
  FusionRules::Names both;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::inserter(both, both.end()));
  return both;
}

}  // namespace

FusionRules common_fusion_rules(std::span<Target* const> targets) {
  FusionRules rules;
  bool first = true;
  for (const Target* target : targets) {
    const FusionRules& other = target->fusion_rules();
    if (other.weighted.empty()) continue;
    if (std::exchange(first, false)) {
      rules = other;
      continue;
    }
    rules.weighted = common(rules.weighted, other.weighted);
    rules.arithmetic = common(rules.arithmetic, other.arithmetic);
    rules.movement = common(rules.movement, other.movement);
    rules.activations = common(rules.activations, other.activations);
    rules.pairs_around_movement |= other.pairs_around_movement;
    rules.pairs_after_weighted &= other.pairs_after_weighted;
  }
  return rules;
}

}  // namespace tarmac

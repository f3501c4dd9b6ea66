// Einsum equations: which axis of which operand is which.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace tarmac {

/// "bqhd,bkhd->bhqk": the labels of each operand and of the result, one letter an axis.
struct EinsumTerms {
  std::vector<std::string> operands;
  std::string result;
};

/// Nothing for an ellipsis, a label twice in one term, or an implicit result.
std::optional<EinsumTerms> einsum_terms(const Node& node);

/// `permutation` with from[permutation[i]] == to[i]; nothing where the labels differ.
std::optional<std::vector<std::int64_t>> permutation_between(const std::string& from, const std::string& to);

}  // namespace tarmac

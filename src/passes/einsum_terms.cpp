#include "passes/einsum_terms.h"

#include <algorithm>
#include <cctype>
#include <set>

namespace tarmac {

std::optional<EinsumTerms> einsum_terms(const Node& node) {
  const auto* equation = node.attribute<std::string>("equation");
  if (!node.is("Einsum") || equation == nullptr) return std::nullopt;
  EinsumTerms terms;
  terms.operands.emplace_back();
  std::string* term = &terms.operands.back();
  for (std::size_t i = 0; i < equation->size(); ++i) {
    const char c = (*equation)[i];
    if (c == ' ') continue;
    if (c == ',' && term != &terms.result) {
      terms.operands.emplace_back();
      term = &terms.operands.back();
    } else if (c == '-' && term != &terms.result && equation->compare(i, 2, "->") == 0) {
      term = &terms.result;
      ++i;
    } else if (std::isalpha(static_cast<unsigned char>(c)) != 0) {
      *term += c;
    } else {
      return std::nullopt;
    }
  }
  if (term != &terms.result || terms.operands.size() != node.inputs().size()) return std::nullopt;
  const auto repeats = [](const std::string& labels) {
    return std::set<char>(labels.begin(), labels.end()).size() != labels.size();
  };
  if (repeats(terms.result) || std::any_of(terms.operands.begin(), terms.operands.end(), repeats))
    return std::nullopt;
  return terms;
}

std::optional<std::vector<std::int64_t>> permutation_between(const std::string& from, const std::string& to) {
  if (from.size() != to.size()) return std::nullopt;
  std::vector<std::int64_t> permutation;
  for (const char label : to) {
    const auto at = from.find(label);
    if (at == std::string::npos) return std::nullopt;
    permutation.push_back(static_cast<std::int64_t>(at));
  }
  return permutation;
}

}  // namespace tarmac

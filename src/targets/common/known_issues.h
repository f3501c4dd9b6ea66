// What an engine accepts but computes wrongly. Each target has one table of rules; check() and compile()
// refuse what a rule names, so that a misreading never reaches a user as a result.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>

#include "graph/graph.h"

namespace tarmac {

/// A node as rules look at it.
struct IssueQuery {
  const Node& node;
  std::int64_t opset = 0;  ///< version of the node's operator set

  [[nodiscard]] bool has_input(std::size_t i) const { return node.input(i) != nullptr; }
  [[nodiscard]] bool has_output(std::size_t i) const { return node.output(i) != nullptr; }
  /// kUndefined when unknown.
  [[nodiscard]] DType input_dtype(std::size_t i) const;
  [[nodiscard]] DType output_dtype(std::size_t i) const;
  [[nodiscard]] std::optional<Shape> input_shape(std::size_t i) const;
  /// Elements of a constant input; none when it is computed at run time.
  [[nodiscard]] std::optional<std::vector<double>> constant(std::size_t i) const;
  [[nodiscard]] std::int64_t integer(const char* name, std::int64_t fallback) const {
    return node.attribute_or<std::int64_t>(name, fallback);
  }
  [[nodiscard]] std::string text(const char* name, const char* fallback) const {
    return node.attribute_or<std::string>(name, fallback);
  }
};

struct KnownIssue {
  const char* op_type;
  const char* domain;
  bool (*applies)(const IssueQuery& query);
  const char* reason;  ///< what the engine does instead, and where that comes from
  const char* remedy;
};

/// Resize with align_corners whose scales do not lead to whole sizes: ONNX works with size times scale,
/// engines with the rounded size. False where shape or scales are known only at run time.
bool resize_aligns_fractional_size(const IssueQuery& query);

/// The first rule that applies; null when none does.
const KnownIssue* find_issue(std::span<const KnownIssue> issues, const IssueQuery& query);

/// The version of a domain's operator set; 0 where there is none.
std::int64_t opset_of(const std::map<std::string, std::int64_t>& opsets, const std::string& domain);

/// kUnsupported for the first node of the model (nested graphs and functions included) that a rule names.
Status refuse_known_issues(std::span<const KnownIssue> issues, const Model& model, const std::string& engine);

}  // namespace tarmac

// One pass, before and after: applies it, checks links and validity, and that a second run changes nothing.
#pragma once

#include <string>

#include "passes/pass_manager.h"
#include "support/graph_checks.h"

namespace tarmac::test {

inline std::vector<Change> apply_pass(Model& model, const std::string& pass,
                                      ConstantEvaluator* evaluator = nullptr) {
  OptimizeOptions options;
  options.only = {pass, "infer_shapes"};
  options.evaluator = evaluator;
  return expect_ok(optimize(model, options)).changes;
}

/// `pass` turns `before` into `after`, and leaves `after` as it is.
inline void expect_rewrite(const std::string& pass, const std::string& before, const std::string& after,
                           ConstantEvaluator* evaluator = nullptr) {
  Model found = model(before);
  const Model expected = model(after);
  EXPECT_FALSE(apply_pass(found, pass, evaluator).empty());
  expect_consistent(found);
  // Shapes are compared by the engines' tests; here the structure counts.
  const std::string difference = structural_difference(found, expected);
  EXPECT_EQ(difference, "") << "found:\n" << model_to_text(found) << "expected:\n" << model_to_text(expected);
  EXPECT_TRUE(apply_pass(found, pass, evaluator).empty()) << "a second run changed something";
}

inline void expect_unchanged(const std::string& pass, const std::string& text,
                             ConstantEvaluator* evaluator = nullptr) {
  Model found = model(text);
  const Model expected = model(text);
  EXPECT_TRUE(apply_pass(found, pass, evaluator).empty());
  expect_same_model(found, expected);
}

/// A model of opset 17 around a graph's text.
inline std::string opset17(const std::string& graph) {
  return "<ir_version: 8, opset_import: [\"\" : 17]>\n" + graph;
}

}  // namespace tarmac::test

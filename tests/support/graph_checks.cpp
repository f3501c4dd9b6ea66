#include "support/graph_checks.h"

namespace tarmac::test {

Model model(const std::string& text, Location where) {
  Model result = expect_ok(model_from_text(text), where);
  expect_consistent(result, where);
  return result;
}

void expect_consistent(const Graph& graph, Location where) { expect_ok(verify_links(graph), where); }

void expect_consistent(const Model& model, Location where) {
  expect_consistent(*model.graph, where);
  for (const Function& function : model.functions) expect_consistent(*function.body, where);
}

void expect_same_model(const Model& found, const Model& expected, bool names, Location where) {
  const std::string difference = structural_difference(found, expected, {.names = names});
  if (difference.empty()) return;
  ADD_FAILURE_AT(where.file, where.line) << difference << "\nfound:\n"
                                         << model_to_text(found) << "expected:\n"
                                         << model_to_text(expected);
}

}  // namespace tarmac::test

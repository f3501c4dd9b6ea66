// Models from text, and what must hold for every graph.
#pragma once

#include <string>

#include "graph/model_io.h"
#include "support/expect.h"

namespace tarmac::test {

/// The model in ONNX text form; the test fails when it is not valid.
Model model(const std::string& text, Location where = Location::current());

/// The invariants of graph.h hold (verify_links), nested graphs and functions included.
void expect_consistent(const Graph& graph, Location where = Location::current());
void expect_consistent(const Model& model, Location where = Location::current());

/// Both models compute the same graph; on a difference the test shows it with both texts. `names`: names
/// agree too.
void expect_same_model(const Model& found, const Model& expected, bool names = false,
                       Location where = Location::current());

}  // namespace tarmac::test

// Makes a failing model small, so that a person can read it.
#pragma once

#include <functional>

#include "support/optimize_check.h"

namespace tarmac::test {

struct Example {
  Model model;
  Tensors inputs;
};

/// A smaller example that still fails: outputs, then nodes are left out while it does. What a left-out node
/// computed becomes an input with the value that it had. `fails` must be true for `example`; it is asked a
/// few hundred times at most.
Example shrink(const Example& example, const std::function<bool(const Example&)>& fails);

/// The model as text and its inputs, as a reproducer needs them.
std::string describe(const Example& example);

}  // namespace tarmac::test

// Small valid models that between them use every part of the format that loading looks into.
#pragma once

#include <string>
#include <vector>

namespace tarmac::test {

/// Serialised models, the smallest first.
std::vector<std::string> seed_models();

}  // namespace tarmac::test

// "did you mean …?"
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tarmac::cli {

/// The candidate nearest to `word` by edit distance; empty when none is near.
std::string closest(std::string_view word, const std::vector<std::string>& candidates);

/// "; did you mean 'x'?" or nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace tarmac::cli

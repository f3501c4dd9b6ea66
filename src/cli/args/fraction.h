// Shares of a whole on the command line.
#pragma once

#include <string>

#include "tarmac/result.h"

namespace tarmac::cli {

/// "1%" or "0.01" of `option`, not negative. Errors: kUsage.
Result<double> parse_fraction(const std::string& option, const std::string& text);

}  // namespace tarmac::cli

#include "cli/args/fraction.h"

#include <CLI/CLI.hpp>

namespace tarmac::cli {

Result<double> parse_fraction(const std::string& option, const std::string& text) {
  const bool percent = text.ends_with('%');
  double value = 0;
  const std::string number = percent ? text.substr(0, text.size() - 1) : text;
  if (number.empty() || !CLI::detail::lexical_cast(number, value) || !(value >= 0)) {
    return make_error(ErrorCode::kUsage,
                      option + ": expected a share such as 1% or 0.01, found '" + text + "'");
  }
  return percent ? value / 100 : value;
}

}  // namespace tarmac::cli

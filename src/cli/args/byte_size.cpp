#include "cli/args/byte_size.h"

#include <CLI/CLI.hpp>
#include <array>
#include <cmath>
#include <utility>

namespace tarmac::cli {

Result<std::uint64_t> parse_byte_size(const std::string& option, const std::string& text) {
  constexpr std::array<std::pair<const char*, double>, 13> kUnits = {{{"KiB", 0x1p10},
                                                                      {"MiB", 0x1p20},
                                                                      {"GiB", 0x1p30},
                                                                      {"TiB", 0x1p40},
                                                                      {"kB", 1e3},
                                                                      {"MB", 1e6},
                                                                      {"GB", 1e9},
                                                                      {"K", 0x1p10},
                                                                      {"M", 0x1p20},
                                                                      {"G", 0x1p30},
                                                                      {"T", 0x1p40},
                                                                      {"B", 1},
                                                                      {"", 1}}};
  const std::size_t digits = text.find_first_not_of("0123456789.");
  const std::string number = text.substr(0, digits);
  std::string unit = digits == std::string::npos ? "" : text.substr(digits);
  unit.erase(0, unit.find_first_not_of(' '));
  double value = 0;
  if (!number.empty() && CLI::detail::lexical_cast(number, value) && std::isfinite(value)) {
    for (const auto& [name, factor] : kUnits) {
      const double bytes = value * factor;
      if (unit == name && bytes >= 1 && bytes < 0x1p60) return static_cast<std::uint64_t>(bytes);
    }
  }
  return make_error(ErrorCode::kUsage,
                    option + ": expected a size such as 4GiB or 512MiB, found '" + text + "'");
}

}  // namespace tarmac::cli

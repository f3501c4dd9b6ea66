#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "precision/calibration_file.h"

namespace tarmac {
namespace {

constexpr float kLevels = 127;
/// TensorRT asks for its own version and algorithm when it reads a cache; 8.6 is the last that calibrated.
constexpr const char* kVersion = "TRT-8601-";

const char* algorithm(CalibrationMethod method) {
  return method == CalibrationMethod::kMinMax || method == CalibrationMethod::kMovingAverage
             ? "MinMaxCalibration"
             : "EntropyCalibration2";
}

Error bad_line(std::size_t number, std::string_view line) {
  return make_error(
      ErrorCode::kInvalidInput,
      fmt::format("line {} is '{}', expected NAME: and 8 hexadecimal digits", number, line.substr(0, 80)));
}

}  // namespace

Result<std::string> to_tensorrt_cache(const Ranges& ranges, CalibrationMethod method) {
  std::string text = std::string(kVersion) + algorithm(method) + "\n";
  for (const auto& [name, range] : ranges) {
    if (range.empty) continue;
    if (name.find_first_of("\r\n") != std::string::npos || name.find(": ") != std::string::npos) {
      return make_error(ErrorCode::kInvalidInput,
                        "TensorRT's calibration cache cannot hold the name '" + name + "'; rename the value",
                        name);
    }
    const float scale = std::max(std::fabs(range.min), std::fabs(range.max)) / kLevels;
    text += fmt::format("{}: {:08x}\n", name, std::bit_cast<std::uint32_t>(scale));
  }
  return text;
}

Result<Ranges> ranges_from_tensorrt_cache(std::string_view text) {
  Ranges ranges;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (number == 1) {
      if (!line.starts_with("TRT-"))
        return make_error(ErrorCode::kInvalidInput,
                          "this is no calibration cache of TensorRT: it does not begin with TRT-");
      continue;
    }
    if (line.empty()) continue;
    const std::size_t colon = line.rfind(": ");
    std::uint32_t bits = 0;
    const std::string_view digits = colon == std::string_view::npos ? "" : line.substr(colon + 2);
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits, 16);
    if (digits.empty() || digits.size() > 8 || error != std::errc() || stop != digits.data() + digits.size())
      return bad_line(number, line);
    const auto scale = std::bit_cast<float>(bits);
    if (!std::isfinite(scale) || scale < 0 || !std::isfinite(scale * kLevels))
      return make_error(ErrorCode::kInvalidInput,
                        fmt::format("line {}: the scale {} is no positive number", number, scale));
    ranges[std::string(line.substr(0, colon))].include(-scale * kLevels, scale * kLevels);
  }
  if (ranges.empty()) return make_error(ErrorCode::kInvalidInput, "the calibration cache holds no tensor");
  return ranges;
}

}  // namespace tarmac

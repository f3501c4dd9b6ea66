#include "cli/args/calibration_args.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace tarmac::cli {
namespace {

constexpr std::array kMethods = {CalibrationMethod::kMinMax, CalibrationMethod::kMovingAverage,
                                 CalibrationMethod::kEntropy, CalibrationMethod::kPercentile,
                                 CalibrationMethod::kMse};

std::string words(const char* between) {
  std::string text;
  for (const CalibrationMethod method : kMethods)
    text += (text.empty() ? "" : between) + std::string(to_string(method));
  return text;
}

/// A whole positive number.
bool read(std::string_view text, std::int64_t& number) {
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && stop == text.data() + text.size() && number > 0;
}

}  // namespace

void CalibrationArgs::add_clipping(CLI::App& command) {
  command.add_option("--method", method, "How ranges come from the data (default: minmax)")
      ->type_name(words("|"))
      ->check([](const std::string& word) {
        const bool known = std::any_of(kMethods.begin(), kMethods.end(),
                                       [&](CalibrationMethod one) { return word == to_string(one); });
        return known ? "" : "expected " + words(", ") + "; found '" + word + "'";
      })
      ->group("Calibration");
  command
      .add_option("--percentile", percentile,
                  "Share of the magnitudes that --method percentile keeps (default: 99.99)")
      ->type_name("PERCENT")
      ->check(CLI::Range(50.0, 100.0))
      ->group("Calibration");
}

void CalibrationArgs::add(CLI::App& command) {
  add_clipping(command);
  command
      .add_option("--batch", batch,
                  "Samples to run at a time (default: as many as keep the observed activations below 64 MB)")
      ->type_name("N")
      ->check(CLI::Range(1, 1024))
      ->group("Calibration");
  command
      .add_option(
          "--cache", cache,
          "Keep what was seen of the activations in this file; where it is there and fits, use it instead "
          "of calibrating")
      ->type_name("FILE")
      ->group("Calibration");
  command
      .add_option(
          "--shard", shard,
          "Calibrate on this part of the data only and write --cache, no model; tarmac calibration merge "
          "joins the parts")
      ->type_name("I/N")
      ->group("Calibration");
}

ClippingOptions CalibrationArgs::clipping() const {
  // The word was checked when it was read.
  const auto* const found = std::find_if(kMethods.begin(), kMethods.end(),
                                         [&](CalibrationMethod one) { return method == to_string(one); });
  return {.method = *found, .percentile = percentile};
}

Result<Shard> CalibrationArgs::parsed_shard() const {
  Shard parsed;
  if (shard.empty()) return parsed;
  const std::size_t slash = shard.find('/');
  if (slash == std::string::npos || !read(std::string_view(shard).substr(0, slash), parsed.index) ||
      !read(std::string_view(shard).substr(slash + 1), parsed.count) || parsed.index > parsed.count) {
    return make_error(ErrorCode::kUsage,
                      "--shard " + shard + ": expected I/N with I from 1 to N, for example 3/16");
  }
  return parsed;
}

}  // namespace tarmac::cli

// --method, --batch, --cache, --shard: how ranges come from the data, and the file that keeps what was seen.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "precision/clipping.h"

namespace tarmac::cli {

/// Part `index` of `count`, from 1.
struct Shard {
  std::int64_t index = 1;
  std::int64_t count = 1;
  [[nodiscard]] bool whole() const { return count == 1; }
};

struct CalibrationArgs {
  std::string method = to_string(CalibrationMethod::kMinMax);
  double percentile = ClippingOptions().percentile;
  std::size_t batch = 0;  ///< 0: by the size of the activations
  std::string cache;
  std::string shard;

  /// --method and --percentile.
  void add_clipping(CLI::App& command);
  /// Those, --batch, --cache and --shard.
  void add(CLI::App& command);

  [[nodiscard]] ClippingOptions clipping() const;
  /// Errors: kUsage.
  [[nodiscard]] Result<Shard> parsed_shard() const;
};

}  // namespace tarmac::cli

// The calibration artifact: what was seen of a model's activations, in a file that travels.
// docs/calibration_format.md.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "precision/calibrate.h"

namespace tarmac {

struct CalibrationRecord {
  std::string model_digest;          ///< SHA-256 of the float model that ran (model_digest())
  std::string data_digest;           ///< of all samples in order, those of other shards included
  std::string preprocessing_digest;  ///< of describe_preprocess(); of the empty text for ready tensors
  std::uint64_t samples = 0;         ///< that were seen
  std::int64_t shard_count = 1;
  std::set<std::int64_t> shards = {1};  ///< those that are in here, from 1
  bool histograms = false;
  double decay = 0;  ///< of the moving averages; 0 in merged records, which have none
  Statistics statistics;

  [[nodiscard]] bool complete() const { return static_cast<std::int64_t>(shards.size()) == shard_count; }
  bool operator==(const CalibrationRecord&) const = default;
};

/// JSON, the same for equal records.
std::string to_text(const CalibrationRecord& record);

/// Errors: kInvalidInput for anything that to_text() does not write: what was found, what was expected,
/// where.
Result<CalibrationRecord> calibration_from_text(std::string_view text);

/// Exactly what one run over all the data would have given, but for moving averages, which depend on the
/// order and are dropped. Errors: kInvalidInput when they are of different models, data or preprocessing
/// (says which), count different shards, or have one in common.
Result<CalibrationRecord> merge(const std::vector<CalibrationRecord>& records);

/// What a run needs of a record.
struct CalibrationNeeds {
  std::string model_digest;
  std::string data_digest;
  std::string preprocessing_digest;
  CalibrationMethod method = CalibrationMethod::kMinMax;
  double decay = 0;
  std::vector<std::string> values;
};
/// kInvalidInput with every reason why the record does not fit.
Status check_fit(const CalibrationRecord& record, const CalibrationNeeds& needs);

/// TensorRT's calibration cache (text: a line "TRT-VERSION-ALGORITHM", then "NAME: HEX" with the bits of the
/// float scale, most significant first): scale = max(|min|, |max|)/127 of the range. Names with line ends or
/// ": " are refused.
Result<std::string> to_tensorrt_cache(const Ranges& ranges, CalibrationMethod method);
/// The other way: range = ±127·scale. Errors: kInvalidInput with the line.
Result<Ranges> ranges_from_tensorrt_cache(std::string_view text);

}  // namespace tarmac

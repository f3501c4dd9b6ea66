#include "precision/calibration_file.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace tarmac {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kFormat = "tarmac calibration";
constexpr std::int64_t kVersion = 1;
constexpr std::int64_t kMostShards = 1 << 20;
constexpr double kMostFloat = 3.4028234663852886e38;

Error damaged(const std::string& what) {
  return make_error(ErrorCode::kInvalidInput,
                    "the calibration file is damaged or was edited: " + what + ". Calibrate again");
}

Json from_range(const Range& range) {
  return range.empty ? Json(nullptr) : Json::array({range.min, range.max});
}

/// Counts without the empty bins at both ends.
Json from_histogram(const Histogram& histogram) {
  if (histogram.count() == 0) return nullptr;
  const auto& bins = histogram.bins();
  const auto filled = [](std::uint64_t count) { return count != 0; };
  const auto first = std::find_if(bins.begin(), bins.end(), filled);
  const auto last = std::find_if(bins.rbegin(), bins.rend(), filled).base();
  return {{"exponent", histogram.exponent()},
          {"first_bin", first - bins.begin() - Histogram::kBins},
          {"counts", std::vector<std::uint64_t>(first, last)}};
}

/// Reads members with messages; nlohmann's own exceptions do not leave this file.
class Reader {
 public:
  Reader(const Json& json, std::string where) : json_(json), where_(std::move(where)) {}

  Result<const Json*> member(const char* name) const {
    const auto found = json_.is_object() ? json_.find(name) : json_.end();
    if (!json_.is_object() || found == json_.end()) return damaged(where_ + " has no '" + name + "'");
    return &*found;
  }
  Result<std::string> text(const char* name) const {
    TARMAC_TRY(const Json* found, member(name));
    if (!found->is_string()) return damaged(where_ + "." + name + " is no text");
    return found->get<std::string>();
  }
  Result<std::int64_t> integer(const char* name, std::int64_t low, std::int64_t high) const {
    TARMAC_TRY(const Json* found, member(name));
    if (!found->is_number_integer() ||
        (found->is_number_unsigned() && found->get<std::uint64_t>() >> 63U != 0))
      return damaged(where_ + "." + name + " is no integer");
    const auto value = found->get<std::int64_t>();
    if (value < low || value > high)
      return damaged(where_ + "." + name + " is " + std::to_string(value) + ", expected " +
                     std::to_string(low) + " to " + std::to_string(high));
    return value;
  }

 private:
  const Json& json_;
  std::string where_;
};

Result<Range> to_range(const Json& json, const std::string& where) {
  Range range;
  if (json.is_null()) return range;
  if (!json.is_array() || json.size() != 2 || !json[0].is_number() || !json[1].is_number())
    return damaged(where + " is no pair of numbers");
  const auto low = json[0].get<double>();
  const auto high = json[1].get<double>();
  if (!(low <= high) || std::fabs(low) > kMostFloat || std::fabs(high) > kMostFloat)
    return damaged(where + " is not a range of finite numbers");
  range.include(static_cast<float>(low), static_cast<float>(high));
  return range;
}

Result<Histogram> to_histogram(const Json& json, const Range& extremes, const std::string& where) {
  if (json.is_null()) return Histogram();
  const Reader reader(json, where);
  TARMAC_TRY(const std::int64_t exponent,
             reader.integer("exponent", Histogram::kLowestExponent, Histogram::kHighestExponent));
  TARMAC_TRY(const std::int64_t first, reader.integer("first_bin", -Histogram::kBins, Histogram::kBins - 1));
  TARMAC_TRY(const Json* counts, reader.member("counts"));
  if (!counts->is_array() || extremes.empty ||
      static_cast<std::int64_t>(counts->size()) > Histogram::kBins - first)
    return damaged(where + ".counts does not fit its first bin");
  std::vector<std::uint64_t> bins(2 * Histogram::kBins, 0);
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < counts->size(); ++i) {
    const Json& count = (*counts)[i];
    if (!count.is_number_unsigned()) return damaged(where + ".counts holds something that is no count");
    const auto value = count.get<std::uint64_t>();
    if (__builtin_add_overflow(sum, value, &sum)) return damaged(where + ".counts overflows");
    bins[static_cast<std::size_t>(first + Histogram::kBins) + i] = value;
  }
  if (sum == 0) return damaged(where + ".counts is empty");
  return Histogram::of(static_cast<int>(exponent), extremes.min, extremes.max, std::move(bins));
}

Result<std::string> to_digest(const Reader& reader, const char* name) {
  TARMAC_TRY(std::string digest, reader.text(name));
  const bool hex = std::all_of(digest.begin(), digest.end(),
                               [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (digest.size() != 64 || !hex) return damaged(std::string(name) + " is no SHA-256");
  return digest;
}

Result<std::vector<float>> to_floats(const Json& json, const std::string& where) {
  std::vector<float> values;
  if (!json.is_array() || json.empty()) return damaged(where + " is no list of numbers");
  for (const Json& one : json) {
    const double value = one.is_number() ? one.get<double>() : std::numeric_limits<double>::quiet_NaN();
    if (!(std::fabs(value) <= kMostFloat))
      return damaged(where + " holds something that is no finite number");
    values.push_back(static_cast<float>(value));
  }
  return values;
}

Result<ChannelExtremes> to_channels(const Json& json, const std::string& where) {
  const Reader reader(json, where);
  constexpr std::int64_t kMostAxes = 1 << 10;
  ChannelExtremes channels;
  TARMAC_TRY(const std::int64_t axis, reader.integer("axis", 0, kMostAxes));
  channels.axis = static_cast<int>(axis);
  TARMAC_TRY(const Json* low, reader.member("low"));
  TARMAC_TRY(channels.low, to_floats(*low, where + ".low"));
  TARMAC_TRY(const Json* high, reader.member("high"));
  TARMAC_TRY(channels.high, to_floats(*high, where + ".high"));
  bool ordered = channels.low.size() == channels.high.size();
  for (std::size_t c = 0; ordered && c < channels.low.size(); ++c)
    ordered = channels.low[c] <= channels.high[c];
  if (!ordered) return damaged(where + ".low and .high do not belong together");
  return channels;
}

Status read_tensors(const Json& tensors, CalibrationRecord& record) {
  if (!tensors.is_object()) return damaged("'tensors' is no object");
  for (const auto& [name, json] : tensors.items()) {
    const std::string where = "tensors." + name;
    const Reader reader(json, where);
    ActivationStatistics& seen = record.statistics[name];
    TARMAC_TRY(const Json* extremes, reader.member("range"));
    TARMAC_TRY(seen.extremes, to_range(*extremes, where + ".range"));
    TARMAC_TRY(const Json* average, reader.member("moving_average"));
    TARMAC_TRY(seen.moving_average, to_range(*average, where + ".moving_average"));
    TARMAC_TRY(const Json* histogram, reader.member("histogram"));
    TARMAC_TRY(seen.histogram, to_histogram(*histogram, seen.extremes, where + ".histogram"));
    if (const auto channels = json.find("channels"); channels != json.end()) {
      TARMAC_TRY(seen.channels, to_channels(*channels, where + ".channels"));
    }
  }
  return {};
}

std::string count_of_shards(const CalibrationRecord& record) {
  return std::to_string(record.shards.size()) + " of " + std::to_string(record.shard_count) + " shards";
}

}  // namespace

std::string to_text(const CalibrationRecord& record) {
  Json tensors = Json::object();
  for (const auto& [name, seen] : record.statistics) {
    tensors[name] = {{"range", from_range(seen.extremes)},
                     {"moving_average", from_range(seen.moving_average)},
                     {"histogram", from_histogram(seen.histogram)}};
    const ChannelExtremes& channels = seen.channels;
    if (!channels.low.empty())
      tensors[name]["channels"] = {{"axis", channels.axis}, {"low", channels.low}, {"high", channels.high}};
  }
  const Json json = {{"format", kFormat},
                     {"version", kVersion},
                     {"model_sha256", record.model_digest},
                     {"data_sha256", record.data_digest},
                     {"preprocessing_sha256", record.preprocessing_digest},
                     {"samples", record.samples},
                     {"shard_count", record.shard_count},
                     {"shards", record.shards},
                     {"histograms", record.histograms},
                     {"decay", record.decay},
                     {"tensors", std::move(tensors)}};
  return json.dump() + "\n";
}

Result<CalibrationRecord> calibration_from_text(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  const Reader reader(json, "the file");
  const auto format = json.is_object() ? json.find("format") : json.end();
  if (!json.is_object() || format == json.end() || *format != kFormat)
    return make_error(ErrorCode::kInvalidInput, "this is no calibration file of Tarmac");
  TARMAC_TRY(const std::int64_t version, reader.integer("version", 0, 1 << 20));
  if (version != kVersion) {
    return make_error(ErrorCode::kInvalidInput, "the calibration file is of version " +
                                                    std::to_string(version) + ", this program reads " +
                                                    std::to_string(kVersion));
  }
  CalibrationRecord record;
  TARMAC_TRY(record.model_digest, to_digest(reader, "model_sha256"));
  TARMAC_TRY(record.data_digest, to_digest(reader, "data_sha256"));
  TARMAC_TRY(record.preprocessing_digest, to_digest(reader, "preprocessing_sha256"));
  TARMAC_TRY(const std::int64_t samples, reader.integer("samples", 0, std::int64_t{1} << 53U));
  record.samples = static_cast<std::uint64_t>(samples);
  TARMAC_TRY(record.shard_count, reader.integer("shard_count", 1, kMostShards));
  TARMAC_TRY(const Json* shards, reader.member("shards"));
  record.shards.clear();
  if (!shards->is_array() || shards->empty()) return damaged("'shards' is no list");
  for (const Json& shard : *shards) {
    if (!shard.is_number_integer() || shard < 1 || shard > record.shard_count ||
        !record.shards.insert(shard.get<std::int64_t>()).second)
      return damaged("'shards' holds " + shard.dump() + ", expected different numbers from 1 to " +
                     std::to_string(record.shard_count));
  }
  TARMAC_TRY(const Json* histograms, reader.member("histograms"));
  if (!histograms->is_boolean()) return damaged("'histograms' is neither true nor false");
  record.histograms = histograms->get<bool>();
  TARMAC_TRY(const Json* decay, reader.member("decay"));
  if (!decay->is_number() || *decay < 0 || *decay >= 1)
    return damaged("'decay' is no number from 0 to below 1");
  record.decay = decay->get<double>();
  TARMAC_TRY(const Json* tensors, reader.member("tensors"));
  TARMAC_CHECK_OK(read_tensors(*tensors, record));
  for (const auto& [name, seen] : record.statistics) {
    if (record.histograms && !seen.extremes.empty && seen.histogram.count() == 0)
      return damaged("tensors." + name + " has no histogram");
  }
  return record;
}

Result<CalibrationRecord> merge(const std::vector<CalibrationRecord>& records) {
  if (records.empty()) return make_error(ErrorCode::kUsage, "there is nothing to merge");
  CalibrationRecord all = records.front();
  for (std::size_t i = 1; i < records.size(); ++i) {
    const CalibrationRecord& other = records[i];
    const auto differ = [&](const std::string& what) {
      return make_error(ErrorCode::kInvalidInput, "calibration 1 and " + std::to_string(i + 1) +
                                                      " are of different " + what +
                                                      "; shards merge only where all of that is the same");
    };
    if (other.model_digest != all.model_digest) return differ("models");
    if (other.data_digest != all.data_digest) return differ("data");
    if (other.preprocessing_digest != all.preprocessing_digest) return differ("preprocessing");
    if (other.shard_count != all.shard_count) return differ("numbers of shards");
    if (other.histograms != all.histograms) return differ("kinds: only some have histograms");
    for (const std::int64_t shard : other.shards) {
      if (all.shards.insert(shard).second) continue;
      return make_error(ErrorCode::kInvalidInput, "shard " + std::to_string(shard) + " of " +
                                                      std::to_string(all.shard_count) + " is there twice");
    }
    all.samples += other.samples;
    for (const auto& [name, seen] : other.statistics) {
      ActivationStatistics& sum = all.statistics[name];
      if (!sum.extremes.empty && !seen.extremes.empty &&
          (sum.channels.axis != seen.channels.axis || sum.channels.low.size() != seen.channels.low.size()))
        return differ("channels of '" + name + "'");
      sum.channels.include(seen.channels);
      if (!seen.extremes.empty) sum.extremes.include(seen.extremes.min, seen.extremes.max);
      sum.histogram.merge(seen.histogram);
    }
  }
  if (records.size() > 1) {
    all.decay = 0;
    for (auto& [name, seen] : all.statistics) seen.moving_average = {};
  }
  return all;
}

Status check_fit(const CalibrationRecord& record, const CalibrationNeeds& needs) {
  std::string reasons;
  const auto add = [&](const std::string& reason) { reasons += (reasons.empty() ? "" : "; ") + reason; };
  if (record.model_digest != needs.model_digest)
    add("it is of another model (or the optimiser changed since)");
  if (record.data_digest != needs.data_digest) add("it is of other data");
  if (record.preprocessing_digest != needs.preprocessing_digest) add("the preprocessing was another");
  if (!record.complete()) add("it holds " + count_of_shards(record) + ": merge the others in");
  if (needs_histogram(needs.method) && !record.histograms)
    add(std::string("it has no histograms, which ") + to_string(needs.method) + " needs");
  if (needs.method == CalibrationMethod::kMovingAverage && record.decay != needs.decay)
    add("it has no moving averages of this decay, which shards never have");
  for (const std::string& value : needs.values) {
    if (record.statistics.contains(value)) continue;
    add("it says nothing of '" + value + "'");
    break;
  }
  if (reasons.empty()) return {};
  return make_error(ErrorCode::kInvalidInput, "the calibration file does not fit: " + reasons +
                                                  ". Calibrate into another file, or remove this one");
}

}  // namespace tarmac

// The calibration artifact: nothing is lost on the way to a file, and what does not fit is refused.
#include "precision/calibration_file.h"

#include <gmock/gmock.h>

#include <random>

#include "support/expect.h"

namespace tarmac::test {
namespace {

using ::testing::HasSubstr;

std::vector<float> some_values(unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> draw(0.1F, 2);
  std::vector<float> values(1000);
  for (float& value : values) value = draw(generator);
  return values;
}

ActivationStatistics statistics_of(const std::vector<float>& values, bool histogram = true) {
  ActivationStatistics seen;
  if (histogram) seen.histogram.add(values);
  seen.extremes.include(*std::min_element(values.begin(), values.end()),
                        *std::max_element(values.begin(), values.end()));
  seen.moving_average = seen.extremes;
  return seen;
}

CalibrationRecord record_of(unsigned seed = 1) {
  CalibrationRecord record;
  record.model_digest = std::string(64, 'a');
  record.data_digest = std::string(64, 'b');
  record.preprocessing_digest = std::string(64, 'c');
  record.samples = 10;
  record.histograms = true;
  record.decay = 0.9;
  record.statistics["x"] = statistics_of(some_values(seed));
  record.statistics["a/b: \"é\""] = statistics_of(some_values(seed + 1));
  record.statistics["x"].channels = {1, {-1.5F, 0, 1e-30F}, {2, 0, 3e30F}};
  record.statistics["never ran"] = {};
  return record;
}

TEST(CalibrationFile, GivesBackEveryBit) {
  const CalibrationRecord record = record_of();
  EXPECT_TRUE(expect_ok(calibration_from_text(to_text(record))) == record);
  EXPECT_EQ(to_text(expect_ok(calibration_from_text(to_text(record)))), to_text(record));
}

TEST(CalibrationFile, RefusesDamageWithoutHarm) {
  const std::string good = to_text(record_of());
  std::mt19937 generator(7);
  int refused = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string text = good;
    for (int k = 0; k < 1 + i % 3; ++k)
      text[generator() % text.size()] = static_cast<char>(32 + generator() % 96);
    if (i % 7 == 0) text.resize(generator() % text.size());
    const auto read = calibration_from_text(text);
    if (!read) ++refused;
  }
  EXPECT_GT(refused, 1000);
}

TEST(CalibrationFile, SaysWhatIsWrong) {
  const auto with = [](const std::string& from, const std::string& to) {
    std::string text = to_text(record_of());
    const auto at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return calibration_from_text(text.replace(at, from.size(), to));
  };
  expect_error(calibration_from_text("{}"), ErrorCode::kInvalidInput, "no calibration file of Tarmac");
  expect_error(calibration_from_text(""), ErrorCode::kInvalidInput, "no calibration file of Tarmac");
  expect_error(with("\"version\":1", "\"version\":2"), ErrorCode::kInvalidInput,
               "version 2, this program reads 1");
  expect_error(with("\"shards\":[1]", "\"shards\":[1,1]"), ErrorCode::kInvalidInput,
               "different numbers from 1 to 1");
  expect_error(with("\"first_bin\":-", "\"first_bin\":99"), ErrorCode::kInvalidInput, "first_bin");
  expect_error(with("\"counts\":[", "\"counts\":[-1,"), ErrorCode::kInvalidInput, "no count");
  expect_error(with("\"decay\":0.9", "\"decay\":1.5"), ErrorCode::kInvalidInput, "'decay'");
  expect_error(with("\"low\":[-1.5,", "\"low\":["), ErrorCode::kInvalidInput, "do not belong together");
  expect_error(with("\"low\":[-1.5,", "\"low\":[null,"), ErrorCode::kInvalidInput, "no finite number");
  expect_error(with("aaaa", "zzzz"), ErrorCode::kInvalidInput, "no SHA-256");
}

TEST(CalibrationFile, MergesShardsIntoWhatOneRunGives) {
  const auto values = some_values(5);
  CalibrationRecord whole = record_of();
  whole.statistics = {{"x", statistics_of(values)}};
  whole.shard_count = 4;
  whole.shards = {1, 2, 3, 4};
  whole.samples = 40;
  std::vector<CalibrationRecord> parts;
  for (std::int64_t shard = 1; shard <= 4; ++shard) {
    CalibrationRecord part = record_of();
    part.shard_count = 4;
    part.shards = {shard};
    const auto begin = static_cast<std::size_t>(250 * (shard - 1));
    part.statistics = {{"x", statistics_of({values.begin() + static_cast<std::ptrdiff_t>(begin),
                                            values.begin() + static_cast<std::ptrdiff_t>(begin + 250)})}};
    parts.insert(parts.begin() + static_cast<std::ptrdiff_t>(parts.size() / 2), std::move(part));
  }
  const CalibrationRecord merged = expect_ok(merge(parts));
  EXPECT_TRUE(merged.complete());
  EXPECT_TRUE(merged.statistics.at("x").histogram == whole.statistics.at("x").histogram);
  EXPECT_TRUE(merged.statistics.at("x").extremes == whole.statistics.at("x").extremes);
  EXPECT_EQ(merged.samples, 40U);
}

TEST(CalibrationFile, DoesNotMergeWhatDoesNotBelongTogether) {
  CalibrationRecord first = record_of();
  first.shard_count = 2;
  CalibrationRecord second = first;
  expect_error(merge({first, second}), ErrorCode::kInvalidInput, "shard 1 of 2 is there twice");
  second.shards = {2};
  expect_ok(merge({first, second}));
  second.statistics["x"].channels.axis = 2;
  expect_error(merge({first, second}), ErrorCode::kInvalidInput, "different channels of 'x'");
  second.statistics["x"].channels = {};
  expect_error(merge({first, second}), ErrorCode::kInvalidInput, "different channels of 'x'");
  second.data_digest = std::string(64, 'd');
  expect_error(merge({first, second}), ErrorCode::kInvalidInput, "different data");
  expect_error(merge({}), ErrorCode::kUsage, "nothing to merge");
}

TEST(CalibrationFile, IsRefusedWithEveryReasonWhereItDoesNotFit) {
  CalibrationRecord record = record_of();
  CalibrationNeeds needs{record.model_digest,
                         record.data_digest,
                         record.preprocessing_digest,
                         CalibrationMethod::kEntropy,
                         0.9,
                         {"x"}};
  expect_ok(check_fit(record, needs));
  needs.values = {"x", "y"};
  needs.model_digest = std::string(64, 'e');
  record.shard_count = 3;
  record.histograms = false;
  const auto refused = check_fit(record, needs);
  for (const char* reason : {"another model", "1 of 3 shards", "no histograms", "nothing of 'y'"})
    expect_error(refused, ErrorCode::kInvalidInput, reason);
}

TEST(TensorrtCache, HoldsScalesAsTensorrtWritesThem) {
  Ranges ranges;
  ranges["image"].include(-1, 127);  // scale 1: 3f800000
  ranges["conv1"].include(-254, 3);  // scale 2: 40000000
  EXPECT_EQ(expect_ok(to_tensorrt_cache(ranges, CalibrationMethod::kEntropy)),
            "TRT-8601-EntropyCalibration2\nconv1: 40000000\nimage: 3f800000\n");
  EXPECT_THAT(expect_ok(to_tensorrt_cache(ranges, CalibrationMethod::kMinMax)),
              HasSubstr("TRT-8601-MinMaxCalibration"));
}

TEST(TensorrtCache, IsReadBackAndRefusedWithItsLine) {
  const Ranges ranges = expect_ok(ranges_from_tensorrt_cache(
      "TRT-7103-EntropyCalibration2\r\nimage: 3c010a14\r\n(Unnamed Layer* 1): out: 3f800000\n"));
  EXPECT_NEAR(ranges.at("image").max, 1.0, 1e-3);
  EXPECT_EQ(ranges.at("(Unnamed Layer* 1): out").min, -127);
  expect_error(ranges_from_tensorrt_cache("{}"), ErrorCode::kInvalidInput, "TRT-");
  expect_error(ranges_from_tensorrt_cache("TRT-1\nimage 3f8"), ErrorCode::kInvalidInput, "line 2");
  expect_error(ranges_from_tensorrt_cache("TRT-1\nimage: 3f80000g"), ErrorCode::kInvalidInput, "line 2");
  expect_error(ranges_from_tensorrt_cache("TRT-1\nimage: 7fc00000"), ErrorCode::kInvalidInput,
               "no positive number");
  expect_error(ranges_from_tensorrt_cache("TRT-1\n"), ErrorCode::kInvalidInput, "no tensor");
  Ranges odd;
  odd["a: b"].include(0, 1);
  expect_error(to_tensorrt_cache(odd, CalibrationMethod::kMse), ErrorCode::kInvalidInput, "rename");
}

}  // namespace
}  // namespace tarmac::test

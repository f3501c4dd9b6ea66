#include "tarmac/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace tarmac {
namespace {

struct Sample {
  std::string name;
  std::map<std::string, std::string> labels;
  double value = 0;
};

struct Exposition {
  std::map<std::string, std::string> types;
  std::vector<Sample> samples;
  std::string fault;  ///< empty for a text that the format allows
};

/// Reads the text format 0.0.4 from its description, not from what the library writes.
class Reader {
 public:
  static Exposition read(const std::string& text) {
    Exposition result;
    if (text.empty() || text.back() != '\n') result.fault = "the last line does not end";
    std::istringstream lines(text);
    std::set<std::string> helped;
    for (std::string line; std::getline(lines, line) && result.fault.empty();) {
      if (line.rfind("# HELP ", 0) == 0) {
        const std::string name = line.substr(7, line.find(' ', 7) - 7);
        if (!is_name(name) || !helped.insert(name).second) result.fault = line;
      } else if (line.rfind("# TYPE ", 0) == 0) {
        const std::size_t space = line.find(' ', 7);
        const std::string name = line.substr(7, space - 7);
        const std::string type = line.substr(space + 1);
        static const std::set<std::string> kTypes{"counter", "gauge", "histogram"};
        if (!is_name(name) || kTypes.count(type) == 0 || !result.types.emplace(name, type).second)
          result.fault = line;
      } else if (Sample sample; Reader(line).sample(sample) && has_type(result, sample.name)) {
        result.samples.push_back(sample);
      } else {
        result.fault = line;
      }
    }
    return result;
  }

 private:
  explicit Reader(const std::string& line) : line_(line) {}

  static bool is_name(const std::string& name) {
    if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0])) != 0) return false;
    for (const char c : name) {
      if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_' && c != ':') return false;
    }
    return true;
  }

  static bool has_type(const Exposition& text, const std::string& name) {
    if (text.types.count(name) != 0) return text.types.at(name) != "histogram";
    for (const char* suffix : {"_bucket", "_sum", "_count"}) {
      const std::size_t at = name.size() - std::min(name.size(), std::string(suffix).size());
      const auto family = text.types.find(name.substr(0, at));
      if (name.substr(at) == suffix && family != text.types.end()) return family->second == "histogram";
    }
    return false;
  }

  bool sample(Sample& sample) {
    while (at_ < line_.size() && line_[at_] != '{' && line_[at_] != ' ') sample.name += line_[at_++];
    if (!is_name(sample.name)) return false;
    if (take('{')) {
      do {
        std::string label;
        while (at_ < line_.size() && line_[at_] != '=') label += line_[at_++];
        std::string value;
        if (!is_name(label) || !take('=') || !quoted(value) || !sample.labels.emplace(label, value).second)
          return false;
      } while (take(','));
      if (!take('}')) return false;
    }
    if (!take(' ')) return false;
    const std::string number = line_.substr(at_);
    char* end = nullptr;
    sample.value = std::strtod(number.c_str(), &end);
    return !number.empty() && *end == '\0';
  }

  bool quoted(std::string& value) {
    if (!take('"')) return false;
    for (; at_ < line_.size() && line_[at_] != '"'; ++at_) {
      if (line_[at_] != '\\') {
        value += line_[at_];
        continue;
      }
      if (++at_ == line_.size()) return false;
      if (line_[at_] != '\\' && line_[at_] != '"' && line_[at_] != 'n') return false;
      value += line_[at_] == 'n' ? '\n' : line_[at_];
    }
    return take('"');
  }

  bool take(char c) {
    if (at_ >= line_.size() || line_[at_] != c) return false;
    ++at_;
    return true;
  }

  const std::string& line_;
  std::size_t at_ = 0;
};

double value_of(const Exposition& text, const std::string& name) {
  for (const Sample& sample : text.samples) {
    if (sample.name == name) return sample.value;
  }
  ADD_FAILURE() << "no sample " << name;
  return -1;
}

double bound_of(const Sample& sample) {
  const std::string& bound = sample.labels.at("le");
  return bound == "+Inf" ? std::numeric_limits<double>::infinity() : std::stod(bound);
}

TEST(DurationHistogramTest, CountsADurationInTheFirstBucketWhoseBoundHoldsIt) {
  DurationHistogram durations;
  EXPECT_EQ(DurationHistogram::bound_ns(0), 100'000);
  EXPECT_EQ(DurationHistogram::bound_ns(3), 1'000'000);
  EXPECT_EQ(DurationHistogram::bound_ns(DurationHistogram::kBuckets - 1), 10'000'000'000);
  durations.add(100'000);
  durations.add(100'001);
  durations.add(20'000'000'000);
  durations.add(-5);
  EXPECT_EQ(durations.in_bucket(0), 2U);
  EXPECT_EQ(durations.in_bucket(1), 1U);
  EXPECT_EQ(durations.in_bucket(DurationHistogram::kBuckets), 1U);
  EXPECT_EQ(durations.count(), 4U);
  EXPECT_EQ(durations.sum_ns(), 20'000'200'001);
}

TEST(DurationHistogramTest, HasBoundsThatGrowByTheCubeRootOfTen) {
  for (std::size_t i = 1; i < DurationHistogram::kBuckets; ++i) {
    const double ratio = static_cast<double>(DurationHistogram::bound_ns(i)) /
                         static_cast<double>(DurationHistogram::bound_ns(i - 1));
    EXPECT_NEAR(ratio, std::cbrt(10.0), 0.07) << i;
  }
}

TEST(MetricsTest, AreWrittenAsPrometheusReadsThem) {
  Metrics metrics;
  metrics.runs = 7;
  metrics.deadlines_missed = 2;
  metrics.contexts = 3;
  metrics.run_time.add(2'500'000);
  metrics.run_time.add(500'000'000);
  metrics.run_time.add(20'000'000'000);
  const std::string text = metrics.prometheus("a \"model\" in C:\\models\nof two lines");
  const Exposition read = Reader::read(text);
  ASSERT_EQ(read.fault, "") << text;
  EXPECT_EQ(value_of(read, "tarmac_runs_total"), 7);
  EXPECT_EQ(value_of(read, "tarmac_deadlines_missed_total"), 2);
  EXPECT_EQ(value_of(read, "tarmac_contexts"), 3);
  EXPECT_EQ(value_of(read, "tarmac_run_seconds_count"), 3);
  EXPECT_DOUBLE_EQ(value_of(read, "tarmac_run_seconds_sum"), 20.5025);
  EXPECT_EQ(read.types.at("tarmac_run_seconds"), "histogram");
  EXPECT_EQ(read.types.at("tarmac_queued"), "gauge");
  EXPECT_EQ(read.types.at("tarmac_runs_total"), "counter");
  std::map<double, double> buckets;
  for (const Sample& sample : read.samples) {
    EXPECT_EQ(sample.labels.at("model"), "a \"model\" in C:\\models\nof two lines");
    if (sample.name == "tarmac_run_seconds_bucket") buckets[bound_of(sample)] = sample.value;
  }
  EXPECT_EQ(buckets.size(), DurationHistogram::kBuckets + 1);
  EXPECT_EQ(buckets.at(0.0022), 0);
  EXPECT_EQ(buckets.at(0.0046), 1);
  EXPECT_EQ(buckets.at(0.46), 1);
  EXPECT_EQ(buckets.at(1), 2);
  EXPECT_EQ(buckets.at(10), 2);
  EXPECT_EQ(buckets.at(std::numeric_limits<double>::infinity()), 3);
}

TEST(MetricsTest, ReaderOfThisTestRefusesWhatTheFormatDoesNotAllow) {
  for (const char* text :
       {"a 1", "a 1\n", "# TYPE a counter\na{b=\"c} 1\n", "# TYPE a counter\na{b=\"\\x\"} 1\n",
        "# TYPE a counter\na{b=\"c\"} x\n", "# TYPE a counter\na{b=\"c\",b=\"d\"} 1\n", "# TYPE 1a counter\n",
        "# TYPE a counter\n# TYPE a counter\n", "# TYPE a histogram\na 1\n",
        "# TYPE a counter\na_bucket 1\n"}) {
    EXPECT_NE(Reader::read(text).fault, "") << text;
  }
}

TEST(MetricsTest, NeverFallAndAlwaysAgreeWhileTheyAreCounted) {
  Metrics metrics;
  std::atomic<bool> stop{false};
  std::vector<std::thread> writers;
  for (int w = 0; w < 2; ++w) {
    writers.emplace_back([&] {
      for (std::int64_t i = 0; !stop; ++i) {
        metrics.run_time.add((i % 40) * 1'000'000);
        metrics.runs.fetch_add(1);
      }
    });
  }
  std::map<std::string, double> before;
  for (int scrape = 0; scrape < 100; ++scrape) {
    const Exposition read = Reader::read(metrics.prometheus("m"));
    ASSERT_EQ(read.fault, "");
    double below = 0;
    for (const Sample& sample : read.samples) {
      const auto bound = sample.labels.find("le");
      const std::string key = sample.name + (bound != sample.labels.end() ? bound->second : "");
      EXPECT_GE(sample.value, before[key]) << key;
      before[key] = sample.value;
      if (sample.name != "tarmac_run_seconds_bucket") continue;
      EXPECT_GE(sample.value, below) << bound->second;
      below = sample.value;
    }
    EXPECT_EQ(below, value_of(read, "tarmac_run_seconds_count"));
  }
  stop = true;
  for (std::thread& writer : writers) writer.join();
  const Exposition last = Reader::read(metrics.prometheus("m"));
  EXPECT_EQ(value_of(last, "tarmac_runs_total"), value_of(last, "tarmac_run_seconds_count"));
}

}  // namespace
}  // namespace tarmac

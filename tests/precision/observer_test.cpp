// What is kept of activations: the same for any number of threads, and exact when shards merge.
#include "precision/observer.h"

#include <cmath>
#include <random>
#include <thread>

#include "precision/calibration_file.h"
#include "support/expect.h"

namespace tarmac::test {
namespace {

/// Threads of its own for each call, as many tasks at once as it is told.
class Threads final : public ops::Parallel {
 public:
  explicit Threads(int count) : count_(count) {}
  [[nodiscard]] int workers() const override { return count_; }

 protected:
  void run(std::int64_t tasks, Task task, void* state) override {
    std::vector<std::thread> threads;
    for (std::int64_t i = 0; i < tasks; ++i) threads.emplace_back([=] { task(state, i); });
    for (std::thread& thread : threads) thread.join();
  }

 private:
  int count_;
};

Tensor normal(const Shape& shape, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> draw(0, 1);
  std::vector<float> values(static_cast<std::size_t>(expect_ok(element_count(shape))));
  for (float& value : values) value = std::max(draw(generator), -0.5F) + 0.5F;  // many zeros
  return Tensor::from<float>(shape, values);
}

std::vector<std::size_t> counts_of(const std::vector<Tensor>& tensors) {
  std::vector<std::size_t> counts;
  for (const Tensor& tensor : tensors) counts.push_back(static_cast<std::size_t>(tensor.count()));
  return counts;
}

Statistics seen(const std::vector<std::vector<Tensor>>& batches, const ObserverOptions& options,
                ops::Parallel& parallel) {
  ActivationObserver observer({"large", "small"}, options);
  for (const auto& batch : batches) expect_ok(observer.add(batch, counts_of(batch), parallel, 0));
  return observer.take();
}

const std::vector<std::vector<Tensor>>& batches() {
  static const std::vector<std::vector<Tensor>> made = {{normal({1, 7, 333, 250}, 1), normal({1, 5, 3}, 2)},
                                                        {normal({1, 7, 333, 250}, 3), normal({1, 5, 3}, 4)},
                                                        {normal({1, 7, 333, 250}, 5), normal({1, 5, 3}, 6)}};
  return made;
}

TEST(Observer, SeesTheSameWithAnyNumberOfThreads) {
  ObserverOptions options{.histograms = true, .decay = 0.7, .channels = {{"large", 1}, {"small", 2}}};
  ops::Serial serial;
  const Statistics alone = seen(batches(), options, serial);
  for (const int count : {2, 3, 16}) {
    Threads threads(count);
    EXPECT_TRUE(seen(batches(), options, threads) == alone) << count;
  }
  ops::ArenaParallel arena;
  EXPECT_TRUE(seen(batches(), options, arena) == alone);
}

TEST(Observer, CountsWhatAPlainLoopCounts) {
  ops::ArenaParallel arena;
  const ObserverOptions options{.histograms = true, .decay = 0.9, .channels = {{"large", 1}, {"small", 2}}};
  const Statistics found = seen(batches(), options, arena);
  const ActivationStatistics& large = found.at("large");
  std::map<std::int64_t, std::uint64_t> bins;
  std::vector<float> low(7, INFINITY);
  std::vector<float> high(7, -INFINITY);
  for (const auto& batch : batches()) {
    const auto values = batch[0].data<float>();
    for (std::size_t i = 0; i < values.size(); ++i) {
      ++bins[static_cast<std::int64_t>(std::floor(values[i] / large.histogram.bin_width()))];
      const std::size_t channel = i / (333 * 250) % 7;
      low[channel] = std::min(low[channel], values[i]);
      high[channel] = std::max(high[channel], values[i]);
    }
  }
  for (const auto& [bin, count] : bins) EXPECT_EQ(large.histogram.bin(bin), count) << bin;
  EXPECT_EQ(large.histogram.count(), 3U * 7 * 333 * 250);
  EXPECT_EQ(large.channels.low, low);
  EXPECT_EQ(large.channels.high, high);
  EXPECT_EQ(found.at("small").channels.low.size(), 3U);
  EXPECT_EQ(large.extremes.max, *std::max_element(high.begin(), high.end()));
}

TEST(Observer, ShardsMergeIntoExactlyOneRun) {
  ops::ArenaParallel arena;
  const ObserverOptions options{.histograms = true, .decay = 0, .channels = {{"large", 1}}};
  const auto record = [&](const std::vector<std::vector<Tensor>>& part, std::int64_t shard) {
    CalibrationRecord made;
    made.shard_count = 2;
    made.shards = {shard};
    made.histograms = true;
    made.statistics = seen(part, options, arena);
    for (auto& [name, one] : made.statistics) one.moving_average = {};
    return made;
  };
  const CalibrationRecord merged =
      expect_ok(merge({record({batches()[2]}, 2), record({batches()[0], batches()[1]}, 1)}));
  EXPECT_TRUE(merged.statistics == record(batches(), 1).statistics);
}

TEST(Observer, CountsOnlyTheSamplesThatCount) {
  ops::Serial serial;
  ActivationObserver observer({"x"}, {.histograms = true, .decay = 0.9, .channels = {{"x", 1}}});
  const std::vector<Tensor> batch = {Tensor::from<float>({3, 2}, {1, 2, 3, 4, 99, 99})};
  expect_ok(observer.add(batch, std::vector<std::size_t>{4}, serial, 0));
  const Statistics found = observer.take();
  EXPECT_EQ(found.at("x").extremes.max, 4);
  EXPECT_EQ(found.at("x").histogram.count(), 4U);
  EXPECT_EQ(found.at("x").channels.high, (std::vector<float>{3, 4}));
}

TEST(Observer, NamesAValueThatIsNotFiniteWhereverItIs) {
  ops::ArenaParallel arena;
  for (const bool histograms : {false, true}) {
    for (const std::size_t at : {std::size_t{0}, std::size_t{300000}, std::size_t{599999}}) {
      std::vector<float> values(600000, 1);
      values[at] = NAN;
      ActivationObserver observer({"fine", "broken"},
                                  {.histograms = histograms, .decay = 0.9, .channels = {}});
      const std::vector<Tensor> batch = {Tensor::from<float>({1}, {1}),
                                         Tensor::from<float>({600000}, values)};
      const auto refused = observer.add(batch, counts_of(batch), arena, 0);
      expect_error(refused, ErrorCode::kInvalidInput, "'broken'");
      expect_error(refused, ErrorCode::kInvalidInput, "check that the preprocessing");
    }
  }
}

TEST(Observer, RefusesChannelsThatChange) {
  ops::Serial serial;
  ActivationObserver observer({"x"}, {.histograms = false, .decay = 0.9, .channels = {{"x", 1}}});
  const std::vector<std::size_t> six = {6};
  expect_ok(
      observer.add(std::vector<Tensor>{Tensor::from<float>({1, 6}, {1, 2, 3, 4, 5, 6})}, six, serial, 0));
  expect_error(
      observer.add(std::vector<Tensor>{Tensor::from<float>({2, 3}, {1, 2, 3, 4, 5, 6})}, six, serial, 0),
      ErrorCode::kInvalidInput, "axis 1 should hold 6 channels");
  expect_error(
      observer.add(std::vector<Tensor>{Tensor::from<float>({6}, {1, 2, 3, 4, 5, 6})}, six, serial, 0),
      ErrorCode::kInvalidInput, "axis 1");
}

}  // namespace
}  // namespace tarmac::test

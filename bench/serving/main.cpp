// What a batcher gains: batcher_bench MODEL TARGET [ITEMS_IN_FLIGHT [SECONDS]]. Keeps a number of items in
// flight, which stand for as many callers that wait for their results, and runs them with growing max_batch.
// Prints a table.
#include <fmt/core.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>

#include "runtime/inputs.h"
#include "tarmac/tarmac.h"

namespace tarmac {
namespace {

using Clock = std::chrono::steady_clock;

Result<NamedTensors> make_item(const Session& session) {
  NamedTensors item;
  for (const TensorSpec& input : session.inputs()) {
    Shape shape;
    for (const TensorDim& dim : input.shape.value_or(std::vector<TensorDim>())) {
      const auto* size = std::get_if<std::int64_t>(&dim);
      shape.push_back(size != nullptr ? *size : 1);
    }
    if (shape.empty() || shape.front() != 1) {
      return make_error(ErrorCode::kUsage, "input '" + input.name + "' (" + input.type +
                                               ") has no open batch: export the model with one");
    }
    TARMAC_TRY(item[input.name], random_tensor(input.dtype, shape, 1));
  }
  return item;
}

/// Submits an item for each that is done, until the time is over.
class Load {
 public:
  Load(Batcher& batcher, NamedTensors item, Clock::time_point end)
      : batcher_(batcher), item_(std::move(item)), end_(end) {}

  void run(int in_flight) {
    left_ = in_flight;
    for (int i = 0; i < in_flight; ++i) submit();
    std::unique_lock lock(mutex_);
    none_left_.wait(lock, [&] { return left_ == 0; });
  }
  [[nodiscard]] int failures() const { return failures_; }

 private:
  void submit() {
    batcher_.submit(item_, [this](const Batcher::Result& result) {
      if (!result) ++failures_;
      if (result && Clock::now() < end_) return submit();
      const std::lock_guard lock(mutex_);
      if (--left_ == 0) none_left_.notify_one();
    });
  }

  Batcher& batcher_;
  const NamedTensors item_;
  const Clock::time_point end_;
  std::mutex mutex_;
  std::condition_variable none_left_;
  int left_ = 0;
  std::atomic<int> failures_{0};
};

Status run(const char* path, const char* target, int in_flight, double seconds) {
  fmt::print("{:>9} {:>9} {:>10} {:>14} {:>14}\n", "max batch", "items/s", "mean batch", "mean wait, ms",
             "mean run, ms");
  for (const std::int64_t max_batch : {1, 2, 4, 8, 16, 32}) {
    SessionOptions options;
    options.target = target;
    TARMAC_TRY(const Session session, Session::open(path, options));
    TARMAC_TRY(NamedTensors item, make_item(session));
    TARMAC_TRY(Batcher batcher, Batcher::create(session, {.max_batch = max_batch}));
    // Engines recompile for a batch that they have not met.
    Load(batcher, item, Clock::now() + std::chrono::milliseconds(500)).run(in_flight);
    const Metrics& metrics = session.metrics();
    const auto items = metrics.batched_items.load();
    const auto batches = metrics.batches.load();
    const auto wait_ns = metrics.queue_time.sum_ns();
    const auto run_ns = metrics.run_time.sum_ns();
    const auto begin = Clock::now();
    const auto length = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    Load load(batcher, std::move(item), begin + length);
    load.run(in_flight);
    const std::chrono::duration<double> took = Clock::now() - begin;
    const auto done = static_cast<double>(metrics.batched_items - items);
    const auto ran = static_cast<double>(metrics.batches - batches);
    fmt::print("{:>9} {:>9.0f} {:>10.2f} {:>14.3f} {:>14.3f}\n", max_batch, done / took.count(), done / ran,
               1e-6 * static_cast<double>(metrics.queue_time.sum_ns() - wait_ns) / done,
               1e-6 * static_cast<double>(metrics.run_time.sum_ns() - run_ns) / ran);
    if (load.failures() > 0) return make_error(ErrorCode::kInternal, "items failed");
  }
  return {};
}

}  // namespace
}  // namespace tarmac

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: batcher_bench MODEL TARGET [ITEMS_IN_FLIGHT [SECONDS]]\n");
    return 2;
  }
  const auto status =
      tarmac::run(argv[1], argv[2], argc > 3 ? std::atoi(argv[3]) : 32, argc > 4 ? std::atof(argv[4]) : 3);
  if (!status) fmt::print(stderr, "{}\n", status.error().str());
  return status ? 0 : tarmac::exit_code(status.error().code);
}

#include "runtime/measure.h"

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <functional>
#include <string>
#include <system_error>
#include <thread>

namespace tarmac {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kBlockNs = 20'000'000;
constexpr std::chrono::milliseconds kPollInterval{20};

std::int64_t elapsed_ns(Clock::time_point since) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - since).count();
}

std::int64_t to_ns(double seconds) { return static_cast<std::int64_t>(seconds * 1e9); }

Error cancelled() { return make_error(ErrorCode::kCancelled, "the measurement was interrupted"); }

Status check(const MeasureOptions& options) {
  if (options.iterations > 0 || options.duration_s > 0) return {};
  return make_error(ErrorCode::kUsage, "give a number of iterations or a duration above 0");
}

Result<std::int64_t> timed_run(Context& context) {
  const auto begin = Clock::now();
  TARMAC_CHECK_OK(context.run());
  return elapsed_ns(begin);
}

Status warm_up(Context& context, const MeasureOptions& options, const std::function<bool()>& stop) {
  const auto begin = Clock::now();
  for (std::int64_t i = 0; i < options.warmup_iterations || elapsed_ns(begin) < to_ns(options.warmup_s);
       ++i) {
    if (stop()) return cancelled();
    TARMAC_CHECK_OK(context.run());
  }
  return {};
}

/// The measured times of one context and whether it has enough.
struct Series {
  std::vector<std::int64_t> times_ns;
  std::int64_t total_ns = 0;

  void add(std::int64_t time_ns) {
    times_ns.push_back(time_ns);
    total_ns += time_ns;
  }
  [[nodiscard]] bool complete(const MeasureOptions& options) const {
    if (options.iterations > 0) return static_cast<std::int64_t>(times_ns.size()) >= options.iterations;
    return total_ns >= to_ns(options.duration_s);
  }
};

struct Stream {
  Series series;
  Status status;
  Clock::time_point end;
};

Result<Throughput> sum_up(std::vector<Stream>& streams, Clock::time_point begin) {
  Throughput result;
  Clock::time_point end = begin;
  for (Stream& stream : streams) {
    // A stream that another one's error stopped during its warm-up says "cancelled"; the other's error tells
    // more.
    if (!stream.status && stream.status.error().code != ErrorCode::kCancelled)
      return std::move(stream.status).error();
    const auto& times = stream.series.times_ns;
    result.runs += static_cast<std::int64_t>(times.size());
    result.latency_ns.insert(result.latency_ns.end(), times.begin(), times.end());
    end = std::max(end, stream.end);
  }
  result.seconds = std::chrono::duration<double>(end - begin).count();
  return result;
}

}  // namespace

Result<std::vector<std::int64_t>> measure_latency(Context& context, const MeasureOptions& options,
                                                  Progress& progress) {
  Context* const contexts[] = {&context};
  TARMAC_TRY(auto series, measure_interleaved(contexts, options, progress));
  return std::move(series.front());
}

Result<std::vector<std::vector<std::int64_t>>> measure_interleaved(std::span<Context* const> contexts,
                                                                   const MeasureOptions& options,
                                                                   Progress& progress) {
  TARMAC_CHECK_OK(check(options));
  for (Context* context : contexts) {
    TARMAC_CHECK_OK(warm_up(*context, options, [&] { return progress.cancelled(); }));
  }
  std::vector<Series> series(contexts.size());
  const auto incomplete = [&](const Series& one) { return !one.complete(options); };
  for (std::size_t round = 0; std::any_of(series.begin(), series.end(), incomplete); ++round) {
    for (std::size_t turn = 0; turn < contexts.size(); ++turn) {
      const std::size_t i = (round + turn) % contexts.size();
      if (series[i].complete(options)) continue;
      if (contexts.size() > 1) TARMAC_CHECK_OK(contexts[i]->run());
      const auto block = Clock::now();
      do {
        if (progress.cancelled()) return cancelled();
        TARMAC_TRY(const std::int64_t time_ns, timed_run(*contexts[i]));
        series[i].add(time_ns);
        progress.advance();
      } while (!series[i].complete(options) && elapsed_ns(block) < kBlockNs);
    }
  }
  std::vector<std::vector<std::int64_t>> times;
  for (Series& one : series) times.push_back(std::move(one.times_ns));
  return times;
}

Result<Throughput> measure_throughput(std::span<Context* const> contexts, const MeasureOptions& options,
                                      Progress& progress) {
  TARMAC_CHECK_OK(check(options));
  if (contexts.empty()) return make_error(ErrorCode::kUsage, "give at least one context to measure");
  std::vector<Stream> streams(contexts.size());
  std::atomic<bool> stop{false};
  std::atomic<std::size_t> running{0};
  Clock::time_point begin;
  std::barrier start(static_cast<std::ptrdiff_t>(contexts.size()), [&]() noexcept { begin = Clock::now(); });

  const auto run_stream = [&](Stream& stream, Context& context) {
    stream.status = warm_up(context, options, [&] { return stop.load(); });
    if (!stream.status) stop = true;
    start.arrive_and_wait();
    const auto complete = [&] {
      return options.iterations > 0 ? stream.series.complete(options)
                                    : elapsed_ns(begin) >= to_ns(options.duration_s);
    };
    while (stream.status.ok() && !stop && !complete()) {
      auto time_ns = timed_run(context);
      if (time_ns) {
        stream.series.add(*time_ns);
      } else {
        stream.status = std::move(time_ns).error();
        stop = true;
      }
    }
    stream.end = Clock::now();
    --running;
  };
  std::vector<std::thread> threads;
  Status started;
  for (std::size_t i = 0; i < contexts.size(); ++i) {
    ++running;
    try {
      threads.emplace_back([&, i] { run_stream(streams[i], *contexts[i]); });
    } catch (const std::system_error& failure) {
      --running;
      stop = true;
      start.arrive_and_drop();  // so that the threads there are do not wait for this one
      started =
          make_error(ErrorCode::kResourceExhausted, "cannot start thread " + std::to_string(i + 1) + " of " +
                                                        std::to_string(contexts.size()) + ": " +
                                                        failure.what() + "; ask for fewer streams");
    }
  }
  while (running > 0) {
    if (progress.cancelled()) stop = true;
    std::this_thread::sleep_for(kPollInterval);
  }
  for (std::thread& thread : threads) thread.join();
  TARMAC_CHECK_OK(std::move(started));
  if (progress.cancelled()) return cancelled();
  return sum_up(streams, begin);
}

}  // namespace tarmac

#include "runtime/measure.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>

#include "runtime/together.h"

namespace tarmac {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kBlockNs = 20'000'000;
constexpr std::int64_t kWindowNs = 100'000'000;
constexpr std::size_t kWindowRuns = 3;
constexpr double kSettledWithin = 0.03;
/// Room for times is made before the first run; beyond it the series grow between runs.
constexpr std::int64_t kMostReserved = 1 << 22;

std::int64_t elapsed_ns(Clock::time_point since) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - since).count();
}

std::int64_t to_ns(double seconds) { return static_cast<std::int64_t>(seconds * 1e9); }

Error cancelled() { return make_error(ErrorCode::kCancelled, "the measurement was interrupted"); }

Status check(const MeasureOptions& options) {
  if (options.iterations > 0 || options.duration_s > 0) return {};
  return make_error(ErrorCode::kUsage, "give a number of iterations or a duration above 0");
}

Result<std::int64_t> timed_run(Work& work) {
  const auto begin = Clock::now();
  TARMAC_CHECK_OK(work.run());
  return elapsed_ns(begin);
}

/// The times of a warm-up in windows; says when two in a row agree.
class Settling {
 public:
  Settling() { window_.reserve(1024); }

  /// Whether the window that this run ends agrees with the one before.
  bool add(std::int64_t time_ns) {
    window_.push_back(time_ns);
    window_ns_ += time_ns;
    if (window_ns_ < kWindowNs || window_.size() < kWindowRuns) return false;
    const auto middle = window_.begin() + static_cast<std::ptrdiff_t>(window_.size() / 2);
    std::nth_element(window_.begin(), middle, window_.end());
    const auto median = static_cast<double>(*middle);
    const bool agrees = previous_ > 0 && std::abs(median - previous_) <= kSettledWithin * previous_;
    previous_ = median;
    window_.clear();
    window_ns_ = 0;
    return agrees;
  }

 private:
  std::vector<std::int64_t> window_;
  std::int64_t window_ns_ = 0;
  double previous_ = 0;
};

/// The measured times of one work and whether it has enough.
struct Series {
  WorkTimes times;
  std::int64_t sum_ns = 0;

  void reserve(const MeasureOptions& options, const WarmUp& warm) {
    std::int64_t runs = options.iterations;
    if (runs == 0 && warm.last_run_ns > 0) runs = to_ns(1.25 * options.duration_s) / warm.last_run_ns;
    const auto room = static_cast<std::size_t>(std::clamp<std::int64_t>(runs, 1024, kMostReserved));
    times.total_ns.reserve(room);
    times.preprocess_ns.reserve(room);
  }
  void add(std::int64_t time_ns, std::int64_t preprocess_ns) {
    times.total_ns.push_back(time_ns);
    if (preprocess_ns > 0) times.preprocess_ns.push_back(preprocess_ns);
    sum_ns += time_ns;
  }
  [[nodiscard]] bool complete(const MeasureOptions& options) const {
    if (options.iterations > 0) return static_cast<std::int64_t>(times.total_ns.size()) >= options.iterations;
    return sum_ns >= to_ns(options.duration_s);
  }
};

struct Stream {
  Series series;
  Status status;
  Clock::time_point begin;
  Clock::time_point end;
};

Status run_stream(Stream& stream, Work& work, const MeasureOptions& options, const Together& together) {
  const auto complete = [&] {
    return options.iterations > 0 ? stream.series.complete(options)
                                  : elapsed_ns(stream.begin) >= to_ns(options.duration_s);
  };
  while (!together.stopped() && !complete()) {
    TARMAC_TRY(const std::int64_t time_ns, timed_run(work));
    stream.series.add(time_ns, work.preprocess_ns());
  }
  return {};
}

Result<Throughput> sum_up(std::vector<Stream>& streams) {
  Throughput result;
  for (Stream& stream : streams) {
    // A stream that another one's error stopped during its warm-up says "cancelled"; the other's error tells
    // more.
    if (!stream.status && stream.status.error().code != ErrorCode::kCancelled)
      return std::move(stream.status).error();
    const auto& times = stream.series.times.total_ns;
    result.runs += static_cast<std::int64_t>(times.size());
    result.latency_ns.insert(result.latency_ns.end(), times.begin(), times.end());
    result.seconds =
        std::max(result.seconds, std::chrono::duration<double>(stream.end - stream.begin).count());
  }
  return result;
}

/// Contexts as what is timed.
struct ContextWorks {
  explicit ContextWorks(std::span<Context* const> contexts) {
    for (Context* context : contexts) {
      owned.push_back(std::make_unique<ContextWork>(*context));
      works.push_back(owned.back().get());
    }
  }
  std::vector<std::unique_ptr<ContextWork>> owned;
  std::vector<Work*> works;
};

}  // namespace

Result<WarmUp> warm_up(Work& work, const MeasureOptions& options, const std::function<bool()>& stop) {
  WarmUp warm;
  Settling settling;
  const auto begin = Clock::now();
  const auto done = [&] {
    if (options.settle_s > 0)
      return warm.settled || (warm.runs > 0 && elapsed_ns(begin) >= to_ns(options.settle_s));
    return warm.runs >= options.warmup_iterations && elapsed_ns(begin) >= to_ns(options.warmup_s);
  };
  while (!done()) {
    if (stop()) return cancelled();
    TARMAC_TRY(warm.last_run_ns, timed_run(work));
    ++warm.runs;
    if (warm.runs == 1) {
      warm.first_run_ns = warm.last_run_ns;
    } else if (options.settle_s > 0) {
      warm.settled = settling.add(warm.last_run_ns);
    }
  }
  warm.seconds = static_cast<double>(elapsed_ns(begin)) / 1e9;
  return warm;
}

Result<std::vector<WorkTimes>> measure_interleaved(std::span<Work* const> works,
                                                   const MeasureOptions& options, Progress& progress) {
  TARMAC_CHECK_OK(check(options));
  std::vector<Series> series(works.size());
  for (std::size_t i = 0; i < works.size(); ++i) {
    TARMAC_TRY(const WarmUp warm, warm_up(*works[i], options, [&] { return progress.cancelled(); }));
    series[i].reserve(options, warm);
  }
  const auto incomplete = [&](const Series& one) { return !one.complete(options); };
  std::int64_t unshown_ns = 0;
  for (std::size_t round = 0; std::any_of(series.begin(), series.end(), incomplete); ++round) {
    for (std::size_t turn = 0; turn < works.size(); ++turn) {
      const std::size_t i = (round + turn) % works.size();
      if (series[i].complete(options)) continue;
      if (works.size() > 1) TARMAC_CHECK_OK(works[i]->run());
      const auto block = Clock::now();
      do {
        if (progress.cancelled()) return cancelled();
        TARMAC_TRY(const std::int64_t time_ns, timed_run(*works[i]));
        series[i].add(time_ns, works[i]->preprocess_ns());
        unshown_ns += time_ns;
      } while (!series[i].complete(options) && elapsed_ns(block) < kBlockNs);
      progress.advance(static_cast<std::uint64_t>(unshown_ns / 1'000'000));
      unshown_ns %= 1'000'000;
    }
  }
  std::vector<WorkTimes> times;
  for (Series& one : series) times.push_back(std::move(one.times));
  return times;
}

Result<std::vector<std::vector<std::int64_t>>> measure_interleaved(std::span<Context* const> contexts,
                                                                   const MeasureOptions& options,
                                                                   Progress& progress) {
  const ContextWorks made(contexts);
  TARMAC_TRY(auto times, measure_interleaved(made.works, options, progress));
  std::vector<std::vector<std::int64_t>> totals;
  for (WorkTimes& one : times) totals.push_back(std::move(one.total_ns));
  return totals;
}

Result<std::vector<std::int64_t>> measure_latency(Context& context, const MeasureOptions& options,
                                                  Progress& progress) {
  Context* const contexts[] = {&context};
  TARMAC_TRY(auto series, measure_interleaved(contexts, options, progress));
  return std::move(series.front());
}

Result<Throughput> measure_throughput(std::span<Work* const> works, const MeasureOptions& options,
                                      Progress& progress) {
  TARMAC_CHECK_OK(check(options));
  if (works.empty()) return make_error(ErrorCode::kUsage, "give at least one context to measure");
  std::vector<Stream> streams(works.size());
  const auto body = [&](std::size_t i, Together& together) {
    Stream& stream = streams[i];
    auto warm = warm_up(*works[i], options, [&] { return together.stopped(); });
    if (warm) {
      stream.series.reserve(options, *warm);
    } else {
      stream.status = std::move(warm).error();
      together.stop();
    }
    stream.begin = together.wait();
    if (stream.status.ok()) stream.status = run_stream(stream, *works[i], options, together);
    if (!stream.status) together.stop();
    stream.end = Clock::now();
  };
  TARMAC_CHECK_OK(run_together(works.size(), body, progress));
  return sum_up(streams);
}

Result<Throughput> measure_throughput(std::span<Context* const> contexts, const MeasureOptions& options,
                                      Progress& progress) {
  const ContextWorks made(contexts);
  return measure_throughput(made.works, options, progress);
}

}  // namespace tarmac

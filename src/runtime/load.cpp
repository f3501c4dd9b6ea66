#include "runtime/load.h"

#include <sys/prctl.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <string>
#include <thread>

#include "runtime/frame_clock.h"
#include "runtime/together.h"

namespace tarmac {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::duration_cast;
using std::chrono::nanoseconds;

constexpr double kMaxRateHz = 100'000;
constexpr std::chrono::milliseconds kLongestSleep{50};
/// Room for times is made before the first run; beyond it the series grow between runs.
constexpr std::int64_t kMostReserved = 1 << 22;

Status check(std::span<const Load> loads, const MeasureOptions& options) {
  if (options.iterations <= 0 && !(options.duration_s > 0))
    return make_error(ErrorCode::kUsage, "give a number of iterations or a duration above 0");
  if (loads.empty()) return make_error(ErrorCode::kUsage, "give at least one load to measure");
  for (const Load& load : loads) {
    if (load.workers.empty()) return make_error(ErrorCode::kUsage, "a load needs at least one worker");
    if (!(load.rate_hz >= 0 && load.rate_hz <= kMaxRateHz)) {
      return make_error(ErrorCode::kUsage, "expected a rate from 0 to 100000 frames a second, found " +
                                               std::to_string(load.rate_hz));
    }
    if (!(load.deadline_s >= 0) || !std::isfinite(load.deadline_s))
      return make_error(ErrorCode::kUsage, "a deadline must not be negative");
  }
  return {};
}

std::int64_t to_ns(double seconds) { return std::llround(seconds * 1e9); }

std::unique_ptr<FrameClock> make_clock(const Load& load, const MeasureOptions& options) {
  const std::int64_t count = options.iterations > 0
                                 ? options.iterations
                                 : std::max<std::int64_t>(1, std::llround(options.duration_s * load.rate_hz));
  const double deadline_s = load.deadline_s > 0 ? load.deadline_s : 1 / load.rate_hz;
  return std::make_unique<FrameClock>(load.rate_hz, count, nanoseconds(to_ns(deadline_s)));
}

/// One thread of a load and what it saw.
struct Worker {
  std::size_t load = 0;
  Work* work = nullptr;
  Status status;
  LoadTimes times;
  Clock::time_point end;

  void reserve(std::int64_t runs, bool with_rate) {
    const auto room = static_cast<std::size_t>(std::clamp<std::int64_t>(runs, 1024, kMostReserved));
    times.run_ns.reserve(room);
    if (!with_rate) return;
    times.latency_ns.reserve(room);
    times.start_delay_ns.reserve(room);
  }
};

/// False when the measurement was stopped first.
bool sleep_until(Clock::time_point due, const Together& together) {
  for (auto now = Clock::now(); now < due; now = Clock::now()) {
    if (together.stopped()) return false;
    std::this_thread::sleep_until(std::min(due, now + kLongestSleep));
  }
  return !together.stopped();
}

Status run_at_rate(Worker& worker, Clock::time_point start, FrameClock& frames, const Together& together) {
  // Linux may wake a thread up to 50 µs late, to save power; that would not be the model's jitter.
  ::prctl(PR_SET_TIMERSLACK, 1);
  worker.end = start;
  while (const auto frame = frames.take(Clock::now() - start)) {
    const auto due = frames.due(*frame);
    if (!sleep_until(start + due, together)) break;
    const auto begin = Clock::now();
    TARMAC_CHECK_OK(worker.work->run());
    worker.end = Clock::now();
    worker.times.start_delay_ns.push_back(duration_cast<nanoseconds>(begin - start - due).count());
    worker.times.run_ns.push_back(duration_cast<nanoseconds>(worker.end - begin).count());
    worker.times.latency_ns.push_back(duration_cast<nanoseconds>(worker.end - start - due).count());
    if (frames.late(*frame, worker.end - start)) ++worker.times.late;
  }
  return {};
}

Status run_flat_out(Worker& worker, Clock::time_point start, const MeasureOptions& options,
                    const Together& together) {
  const auto stop_at = start + nanoseconds(to_ns(options.duration_s));
  const auto complete = [&] {
    return options.iterations > 0 ? worker.times.done() >= options.iterations : worker.end >= stop_at;
  };
  worker.end = Clock::now();
  while (!together.stopped() && !complete()) {
    const auto begin = Clock::now();
    TARMAC_CHECK_OK(worker.work->run());
    worker.end = Clock::now();
    worker.times.run_ns.push_back(duration_cast<nanoseconds>(worker.end - begin).count());
  }
  return {};
}

/// Warms up and makes room for what will be measured.
Status prepare(Worker& worker, const FrameClock* frames, const MeasureOptions& options,
               const Together& together) {
  TARMAC_TRY(const WarmUp warm, warm_up(*worker.work, options, [&] { return together.stopped(); }));
  std::int64_t runs = options.iterations;
  if (frames != nullptr) {
    runs = frames->count();
  } else if (runs == 0) {
    runs = to_ns(options.duration_s) / std::max<std::int64_t>(1, warm.last_run_ns);
  }
  worker.reserve(runs, frames != nullptr);
  return {};
}

void append(std::vector<std::int64_t>& all, const std::vector<std::int64_t>& more) {
  all.insert(all.end(), more.begin(), more.end());
}

Result<std::vector<LoadTimes>> collect(std::vector<Worker>& workers,
                                       const std::vector<std::unique_ptr<FrameClock>>& clocks,
                                       const std::vector<Clock::time_point>& starts) {
  std::vector<LoadTimes> results(clocks.size());
  for (std::size_t i = 0; i < workers.size(); ++i) {
    Worker& worker = workers[i];
    // A worker that another one's error stopped during its warm-up says "cancelled"; the other's tells more.
    if (!worker.status && worker.status.error().code != ErrorCode::kCancelled)
      return std::move(worker.status).error();
    LoadTimes& result = results[worker.load];
    append(result.latency_ns, worker.times.latency_ns);
    append(result.start_delay_ns, worker.times.start_delay_ns);
    append(result.run_ns, worker.times.run_ns);
    result.late += worker.times.late;
    result.seconds = std::max(result.seconds, std::chrono::duration<double>(worker.end - starts[i]).count());
  }
  for (std::size_t i = 0; i < clocks.size(); ++i) {
    results[i].due = clocks[i] ? clocks[i]->count() : results[i].done();
    results[i].dropped = clocks[i] ? clocks[i]->dropped() : 0;
    if (clocks[i]) {
      // The last frame has its period too, else N frames would take the time of N - 1.
      const auto end = std::chrono::duration<double>(clocks[i]->due(clocks[i]->count()));
      results[i].seconds = std::max(results[i].seconds, end.count());
    }
  }
  return results;
}

}  // namespace

Result<std::vector<LoadTimes>> measure_loads(std::span<const Load> loads, const MeasureOptions& options,
                                             Progress& progress) {
  TARMAC_CHECK_OK(check(loads, options));
  std::vector<Worker> workers;
  for (std::size_t i = 0; i < loads.size(); ++i) {
    for (Work* work : loads[i].workers) {
      Worker& worker = workers.emplace_back();
      worker.load = i;
      worker.work = work;
    }
  }
  std::vector<std::unique_ptr<FrameClock>> clocks(loads.size());
  for (std::size_t i = 0; i < loads.size(); ++i) {
    if (loads[i].rate_hz > 0) clocks[i] = make_clock(loads[i], options);
  }
  std::vector<Clock::time_point> starts(workers.size());
  TARMAC_CHECK_OK(run_together(
      workers.size(),
      [&](std::size_t index, Together& together) {
        Worker& worker = workers[index];
        FrameClock* const frames = clocks[worker.load].get();
        worker.status = prepare(worker, frames, options, together);
        if (!worker.status) together.stop();
        starts[index] = together.wait();
        if (!worker.status) return;
        worker.status = frames != nullptr ? run_at_rate(worker, starts[index], *frames, together)
                                          : run_flat_out(worker, starts[index], options, together);
        if (!worker.status) together.stop();
      },
      progress));
  return collect(workers, clocks, starts);
}

}  // namespace tarmac

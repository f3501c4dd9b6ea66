#include "ops/limits.h"

#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <vector>

#include "ops/limits_simd.h"

namespace tarmac::bench {
namespace {

constexpr int kTries = 5;

/// Best rate over a few tries of `work(thread)` on all threads, which does `amount` on each.
template <typename Body>
double best_rate(double amount, Body&& body) {
  tbb::task_arena arena(kThreads);
  double best = 0;
  for (int i = 0; i < kTries; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    arena.execute([&] { tbb::parallel_for(0, kThreads, body, tbb::simple_partitioner()); });
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    best = std::max(best, amount * kThreads / elapsed.count());
  }
  return best;
}

double stream_rate() {
  constexpr std::size_t kCount = 16U << 20U;
  std::vector<std::vector<float>> from(kThreads, std::vector<float>(kCount, 1.0F));
  auto to = from;
  return best_rate(3.0 * sizeof(float) * kCount, [&](int thread) {
    const auto t = static_cast<std::size_t>(thread);
    add_streams(from[t].data(), to[t].data(), kCount);
  });
}

double flop_rate() {
  constexpr int kRounds = 4'000'000;

  std::array<float, kThreads> results{};
  const std::size_t lanes = multiply_add(1, results.data());
  const double rate =
      best_rate(2.0 * kMultiplyAddChains * static_cast<double>(lanes) * kRounds,
                [&](int thread) { multiply_add(kRounds, &results[static_cast<std::size_t>(thread)]); });
  volatile float kept = results[0];
  static_cast<void>(kept);
  return rate;
}

double gather_rate() {
  constexpr std::size_t kLines = 512U << 10U >> 6U;  // half a megabyte
  constexpr std::size_t kLine = 64;
  constexpr int kLoads = 4'000'000;
  std::vector<std::vector<std::uint8_t>> buffers(kThreads, std::vector<std::uint8_t>(kLines * kLine, 1));
  std::array<std::uint64_t, kThreads> sums{};
  const double rate = best_rate(kLoads, [&](int thread) {
    const auto t = static_cast<std::size_t>(thread);
    std::uint32_t state = 12345U + static_cast<std::uint32_t>(thread);
    std::uint64_t sum = 0;
    for (int i = 0; i < kLoads; ++i) {
      state = state * 1664525U + 1013904223U;
      sum += buffers[t][(state >> 8U) % kLines * kLine];
    }
    sums[t] = sum;
  });
  volatile std::uint64_t kept = sums[0];
  static_cast<void>(kept);
  return rate;
}

}  // namespace

Limits measure_limits() { return {stream_rate(), flop_rate(), gather_rate()}; }

Bound bound_of(const Work& work, const Limits& limits) {
  Bound bound;
  const auto consider = [&](double amount, double rate, const char* by) {
    if (rate > 0 && amount / rate > bound.seconds) bound = {amount / rate, by};
  };
  consider(work.bytes, limits.bytes_per_s, "bytes");
  consider(work.flops, limits.flops_per_s, "flops");
  consider(work.gathers, limits.gathers_per_s, "gathers");
  return bound;
}

}  // namespace tarmac::bench

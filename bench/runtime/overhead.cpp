#include <algorithm>
#include <array>
#include <cmath>

#include "metrics/latency.h"
#include "runtime/commands.h"

namespace tarmac::bench {
namespace {

using Times = std::vector<std::int64_t>;

Json summary(const Times& times) {
  const LatencySummary found = value_of(summarize_latency(times));
  return {{"samples", found.samples}, {"min_ns", found.min_ns}, {"mean_ns", found.mean_ns},
          {"p50_ns", found.p50_ns},   {"p90_ns", found.p90_ns}, {"p99_ns", found.p99_ns},
          {"p99.9_ns", found.p999_ns}};
}

template <typename Run>
std::int64_t time_of(const Run& run) {
  const auto begin = Clock::now();
  run();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - begin).count();
}

/// Neighbouring runs' differences: their median, and where it lies with 95 % confidence whatever their
/// distribution.
Json paired(const Times& ours, const Times& bare) {
  Times differences;
  for (std::size_t i = 0; i < ours.size(); ++i) differences.push_back(ours[i] - bare[i]);
  std::sort(differences.begin(), differences.end());
  const auto count = static_cast<double>(differences.size());
  const auto at = [&](double place) {
    return differences[static_cast<std::size_t>(std::clamp(place, 0.0, count - 1))];
  };
  const double spread = 0.98 * std::sqrt(count);
  return {
      {"median_ns", at(count / 2)}, {"low_ns", at(count / 2 - spread)}, {"high_ns", at(count / 2 + spread)}};
}

/// Ours, the bare engine, and the bare engine once more: how far those two differ is what the machine blurs.
struct Sides {
  std::array<Times, 3> times;

  /// All in turn for a while, each turn beginning with another.
  template <typename Run>
  void measure(const std::array<Request*, 3>& requests, double seconds, const Run& run) {
    const auto end = Clock::now() + std::chrono::duration<double>(seconds);
    for (std::size_t turn = 0; turn == 0 || Clock::now() < end; ++turn) {
      for (std::size_t i = 0; i < requests.size(); ++i) {
        const std::size_t side = (turn + i) % requests.size();
        times[side].push_back(time_of([&] { run(*requests[side]); }));
      }
    }
  }

  [[nodiscard]] Json result() const {
    return {{"ours", summary(times[0])},
            {"bare", summary(times[1])},
            {"bare_again", summary(times[2])},
            {"paired", paired(times[0], times[1])},
            {"paired_bare", paired(times[2], times[1])}};
  }
};

}  // namespace

Json measure_overhead(const Json& spec) {
  const Setup our_setup = setup_of(spec.at("ours"));
  const Setup bare_setup = setup_of(spec.at("bare"));
  const auto loads = spec.at("loads").get<int>();
  const double seconds = spec.at("seconds").get<double>() / loads / 2;
  Sides bound;
  Sides frame;
  // Two copies of one model need not be equally fast, for where their memory lies: hence several, who comes
  // first changing.
  for (int i = 0; i < loads; ++i) {
    std::array<std::unique_ptr<Engine>, 3> engines;
    for (int k = 0; k < 3; ++k) {
      const auto side = static_cast<std::size_t>((i + k) % 3);
      engines[side] = load(side == 0 ? our_setup : bare_setup);
    }
    const Tensors inputs = made_up_inputs(engines[0]->inputs(), our_setup.batch);
    std::array<std::unique_ptr<Request>, 3> owned;
    std::array<Request*, 3> requests{};
    for (std::size_t side = 0; side < 3; ++side) {
      owned[side] = engines[side]->request(inputs);
      requests[side] = owned[side].get();
    }
    Sides warm_up;
    warm_up.measure(requests, seconds / 10, [](Request& request) { request.run_frame(); });
    bound.measure(requests, seconds, [](Request& request) { request.run(); });
    frame.measure(requests, seconds, [](Request& request) { request.run_frame(); });
  }
  return {{"bound", bound.result()}, {"frame", frame.result()}};
}

}  // namespace tarmac::bench

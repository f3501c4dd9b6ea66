#include "tune/choose_target.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "graph/model_io.h"
#include "runtime/compile.h"
#include "runtime/inputs.h"
#include "runtime/measure.h"
#include "tune/workspace.h"

namespace tarmac {
namespace {

using Clock = std::chrono::steady_clock;

// Latencies of two runs of one model differ by this much.
constexpr double kNoise = 1.02;
constexpr int kThroughputRounds = 3;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// Hands on who asks to stop, and nothing else: what a candidate does is no step of the whole.
class OnlyCancel final : public Progress {
 public:
  explicit OnlyCancel(const Progress& outer) : outer_(outer) {}
  [[nodiscard]] bool cancelled() const override { return outer_.cancelled(); }

 private:
  const Progress& outer_;
};

/// Says who runs before the engine does.
class WatchedWork final : public Work {
 public:
  WatchedWork(Context& context, std::function<void()> before)
      : context_(context), before_(std::move(before)) {}
  Status run() override {
    before_();
    return context_.run();
  }

 private:
  Context& context_;
  std::function<void()> before_;
};

class Chooser {
 public:
  Chooser(std::vector<TargetCandidate>& candidates, const ChooseOptions& options, Progress& progress)
      : all_(candidates), options_(options), progress_(progress), quiet_(progress) {}

  Result<std::size_t> run() {
    std::size_t open = 0;
    for (const TargetCandidate& one : all_) open += one.failure.empty() ? 1 : 0;
    progress_.start("compile and measure", open);
    left_ = open;
    forecast();
    for (std::size_t i = 0; i < all_.size(); ++i) {
      if (!all_[i].failure.empty()) continue;
      if (auto status = look(all_[i]); !status) {
        if (status.error().code == ErrorCode::kCancelled) return status.error();
        all_[i].failure = status.error().str();
        all_[i].lacked_memory =
            status.error().code == ErrorCode::kResourceExhausted && !over_workspace(all_[i]);
        all_[i].executable.reset();
      }
      --left_;
      keep_finalists();
      progress_.advance();
      forecast();
    }
    watch("");
    std::vector<std::size_t> finalists = ranked();
    if (finalists.empty()) return none_works();
    finalists.resize(std::min(finalists.size(), options_.finalists));
    std::erase_if(finalists, [&](std::size_t i) { return !near_best(all_[i], all_[finalists.front()]); });
    for (const std::size_t i : finalists) all_[i].finalist = true;
    say_left(static_cast<double>(finalists.size()) * options_.measure_s * kOverhead);
    TARMAC_CHECK_OK(options_.objective == Objective::kLatency ? measure_latencies(finalists)
                                                              : measure_throughputs(finalists));
    watch("");
    progress_.finish();
    return decide(finalists);
  }

 private:
  // Warming up and taking turns cost as much again as what is counted.
  static constexpr double kOverhead = 1.5;

  void watch(const std::string& group) const {
    if (options_.watch) options_.watch(group);
  }

  /// Lower is better: nanoseconds a run, or a sample.
  [[nodiscard]] double cost(const TargetCandidate& one) const {
    return options_.objective == Objective::kLatency ? static_cast<double>(one.latency->p50_ns)
                                                     : 1e9 / one.samples_per_s;
  }
  [[nodiscard]] bool near_best(const TargetCandidate& one, const TargetCandidate& best) const {
    return cost(one) <= cost(best) * options_.near;
  }

  /// Those that work, best first.
  [[nodiscard]] std::vector<std::size_t> ranked() const {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < all_.size(); ++i) {
      if (all_[i].failure.empty() && all_[i].latency) order.push_back(i);
    }
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return cost(all_[a]) < cost(all_[b]); });
    return order;
  }

  /// Gives the memory of those back that cannot become finalists any more.
  void keep_finalists() {
    const auto order = ranked();
    for (std::size_t rank = options_.finalists; rank < order.size(); ++rank)
      all_[order[rank]].executable.reset();
  }

  void say_left(double seconds) const {
    if (options_.forecast) options_.forecast(seconds);
  }

  void forecast() const {
    const auto tried = static_cast<std::size_t>(
        std::count_if(all_.begin(), all_.end(), [](const auto& one) { return one.tried; }));
    const double spent = tried == 0 ? 0 : looked_s_ / static_cast<double>(tried);
    const double each = std::max(spent, options_.look_s * kOverhead);
    const std::size_t finals = std::min(options_.finalists, left_ + tried);
    say_left(static_cast<double>(left_) * each +
             static_cast<double>(finals) * options_.measure_s * kOverhead);
  }

  Status look(TargetCandidate& one) {
    const auto begin = Clock::now();
    watch(one.group());
    one.tried = true;
    const Status status = compile_and_look(one);
    looked_s_ += seconds_since(begin);
    return status;
  }

  Status compile_and_look(TargetCandidate& one) {
    const auto begin = Clock::now();
    Model copy = clone_model(*one.model);
    TARMAC_TRY(one.executable, compile_model(*one.target, copy, one.compile, quiet_));
    one.compile_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - begin).count();
    TARMAC_CHECK_OK(check_workspace(one));
    MeasureOptions look;
    look.warmup_iterations = 1;
    look.warmup_s = 0.03;
    look.duration_s = options_.look_s;
    if (options_.objective == Objective::kThroughput) return measure_streams(one, look);
    TARMAC_TRY(const auto context, one.executable->create_context());
    TARMAC_CHECK_OK(bind_inputs(*context, one.shapes->front().inputs));
    TARMAC_TRY(const auto times, measure_latency(*context, look, quiet_));
    return take_latency(one, times);
  }

  [[nodiscard]] bool over_workspace(const TargetCandidate& one) const {
    return options_.workspace_bytes > 0 && one.workspace_bytes &&
           *one.workspace_bytes > options_.workspace_bytes;
  }

  Status check_workspace(TargetCandidate& one) const {
    const auto& largest = one.largest ? *one.largest : *one.shapes;
    TARMAC_TRY(one.workspace_bytes, memory_growth([&]() -> Status {
                 TARMAC_TRY(const auto context, one.executable->create_context());
                 for (const MeasuredShape& shape : largest) {
                   TARMAC_CHECK_OK(bind_inputs(*context, shape.inputs));
                   TARMAC_CHECK_OK(context->run());
                 }
                 return {};
               }));
    if (!over_workspace(one)) return {};
    return make_error(ErrorCode::kResourceExhausted,
                      fmt::format("a context takes {:.1f} MiB, the workspace limit is {:.1f} MiB",
                                  static_cast<double>(*one.workspace_bytes) / 1048576,
                                  static_cast<double>(options_.workspace_bytes) / 1048576));
  }

  static Status take_latency(TargetCandidate& one, const std::vector<std::int64_t>& times) {
    TARMAC_TRY(one.latency, summarize_latency(times));
    const auto& shape = one.shapes->front();
    one.samples_per_s = 1e9 * static_cast<double>(shape.samples) / one.latency->mean_ns;
    one.best_shape = 0;
    return {};
  }

  /// All streams at once, at each shape; the best shape counts.
  Status measure_streams(TargetCandidate& one, const MeasureOptions& measuring) {
    double best = 0;
    for (std::size_t s = 0; s < one.shapes->size(); ++s) {
      TARMAC_TRY(const Throughput found, throughput(one, s, measuring));
      const double samples_per_s = found.runs_per_second() * static_cast<double>((*one.shapes)[s].samples);
      if (samples_per_s <= best) continue;
      best = samples_per_s;
      one.samples_per_s = samples_per_s;
      one.best_shape = s;
      TARMAC_TRY(one.latency, summarize_latency(found.latency_ns));
    }
    return {};
  }

  Result<Throughput> throughput(TargetCandidate& one, std::size_t shape, const MeasureOptions& measuring) {
    std::vector<std::unique_ptr<Context>> owned;
    std::vector<Context*> contexts;
    for (int stream = 0; stream < std::max(1, one.compile.streams); ++stream) {
      TARMAC_TRY(owned.emplace_back(), one.executable->create_context());
      TARMAC_CHECK_OK(bind_inputs(*owned.back(), (*one.shapes)[shape].inputs));
      contexts.push_back(owned.back().get());
    }
    return measure_throughput(contexts, measuring, quiet_);
  }

  Status measure_latencies(const std::vector<std::size_t>& finalists) {
    std::vector<std::unique_ptr<Context>> owned;
    std::vector<std::unique_ptr<Work>> watched;
    std::vector<Work*> works;
    const TargetCandidate* running = nullptr;
    for (const std::size_t i : finalists) {
      TargetCandidate& one = all_[i];
      watch(one.group());
      TARMAC_TRY(owned.emplace_back(), one.executable->create_context());
      TARMAC_CHECK_OK(bind_inputs(*owned.back(), one.shapes->front().inputs));
      watched.push_back(std::make_unique<WatchedWork>(*owned.back(), [this, &running, &one] {
        if (std::exchange(running, &one) != &one) watch(one.group());
      }));
      works.push_back(watched.back().get());
    }
    MeasureOptions measuring;
    measuring.warmup_iterations = 2;
    measuring.warmup_s = 0.05;
    measuring.duration_s = options_.measure_s;
    TARMAC_TRY(const auto times, measure_interleaved(works, measuring, quiet_));
    for (std::size_t i = 0; i < finalists.size(); ++i)
      TARMAC_CHECK_OK(take_latency(all_[finalists[i]], times[i].total_ns));
    return {};
  }

  /// By turns; the median round counts.
  Status measure_throughputs(const std::vector<std::size_t>& finalists) {
    MeasureOptions measuring;
    measuring.warmup_iterations = 1;
    measuring.warmup_s = 0.05;
    measuring.duration_s = options_.measure_s / kThroughputRounds;
    std::vector<std::vector<double>> rates(finalists.size());
    std::vector<std::vector<std::int64_t>> times(finalists.size());
    for (int round = 0; round < kThroughputRounds; ++round) {
      for (std::size_t turn = 0; turn < finalists.size(); ++turn) {
        const std::size_t at = (turn + static_cast<std::size_t>(round)) % finalists.size();
        TargetCandidate& one = all_[finalists[at]];
        watch(one.group());
        TARMAC_TRY(const Throughput found, throughput(one, one.best_shape, measuring));
        rates[at].push_back(found.runs_per_second());
        times[at].insert(times[at].end(), found.latency_ns.begin(), found.latency_ns.end());
      }
    }
    for (std::size_t at = 0; at < finalists.size(); ++at) {
      TargetCandidate& one = all_[finalists[at]];
      std::sort(rates[at].begin(), rates[at].end());
      one.samples_per_s =
          rates[at][kThroughputRounds / 2] * static_cast<double>((*one.shapes)[one.best_shape].samples);
      TARMAC_TRY(one.latency, summarize_latency(times[at]));
    }
    return {};
  }

  [[nodiscard]] std::string figure(const TargetCandidate& one) const {
    if (options_.objective == Objective::kLatency)
      return fmt::format("{:.3g} ms", static_cast<double>(one.latency->p50_ns) / 1e6);
    return fmt::format("{:.4g} samples/s", one.samples_per_s);
  }

  Result<std::size_t> decide(std::vector<std::size_t> finalists) {
    std::stable_sort(finalists.begin(), finalists.end(),
                     [&](std::size_t a, std::size_t b) { return cost(all_[a]) < cost(all_[b]); });
    std::optional<std::size_t> chosen;
    for (const std::size_t i : ranked()) {
      // A first look is no result: those that were not measured longer lose to the finalists.
      if (all_[i].eligible && all_[i].finalist && !chosen) chosen = i;
    }
    if (!chosen) {
      const TargetCandidate& winner = all_[finalists.front()];
      std::string best = "none";
      for (const std::size_t i : ranked()) {
        if (!all_[i].eligible) continue;
        best = all_[i].name() + ": " + figure(all_[i]);
        break;
      }
      return loses(best, winner);
    }
    const TargetCandidate& winner = all_[finalists.front()];
    TargetCandidate& best = all_[*chosen];
    if (!winner.eligible && cost(best) > cost(winner) * kNoise)
      return loses(best.name() + ": " + figure(best), winner);
    for (std::size_t i = 0; i < all_.size(); ++i) {
      if (i == *chosen) continue;
      TargetCandidate& one = all_[i];
      one.executable.reset();
      if (!one.failure.empty()) continue;
      one.failure = one.eligible ? (options_.objective == Objective::kLatency ? "slower: " : "fewer: ") +
                                       figure(one) + (one.finalist ? "" : " at the first look")
                                 : "only what the others must beat";
    }
    return *chosen;
  }

  [[nodiscard]] Error loses(const std::string& best, const TargetCandidate& winner) const {
    return make_error(ErrorCode::kUnsupported, "what was asked for loses to FP32 on this machine (" + best +
                                                   ", against " + winner.name() + ": " + figure(winner) +
                                                   "); allow it with --precision fp32,int8");
  }

  [[nodiscard]] Error none_works() const {
    std::string reasons;
    bool workspace = true;
    bool memory = false;
    for (const TargetCandidate& one : all_) {
      if (!one.eligible) continue;
      workspace = workspace && over_workspace(one);
      memory = memory || one.lacked_memory;
      if (const std::string reason = "; " + one.group() + ": " + one.failure;
          reasons.find(reason) == std::string::npos)
        reasons += reason;
    }
    if (workspace)
      return make_error(ErrorCode::kResourceExhausted, "no candidate keeps the workspace" + reasons);
    return make_error(memory ? ErrorCode::kResourceExhausted : ErrorCode::kUnsupported,
                      "no target compiles the model" + reasons);
  }

  std::vector<TargetCandidate>& all_;
  const ChooseOptions& options_;
  Progress& progress_;
  OnlyCancel quiet_;
  std::size_t left_ = 0;
  double looked_s_ = 0;
};

}  // namespace

const char* to_string(Objective objective) {
  return objective == Objective::kLatency ? "latency" : "throughput";
}

std::vector<CoreLayout> core_layouts(int cores, Objective objective) {
  std::vector<CoreLayout> list;
  const auto add = [&](CoreLayout layout) {
    if (std::find(list.begin(), list.end(), layout) == list.end()) list.push_back(layout);
  };
  if (objective == Objective::kLatency) {
    for (int threads = cores; threads >= 1; threads /= 2) add({threads, 1});
    return list;
  }
  for (int streams = 1; streams < cores; streams *= 2) add({cores, streams});
  add({cores, cores});
  add({1, 1});
  return list;
}

std::string candidate_group(const Target& target, const std::string& precision) {
  return target.name() + " " + precision;
}

std::string TargetCandidate::group() const { return candidate_group(*target, precision); }

std::string TargetCandidate::name() const {
  std::string text = group();
  if (batch > 0) text += fmt::format(", batch {}", batch);
  text += compile.cores == 0 ? ", all cores"
                             : fmt::format(", {} core{}", compile.cores, compile.cores == 1 ? "" : "s");
  return text + fmt::format(", {} stream{}", compile.streams, compile.streams == 1 ? "" : "s");
}

Result<std::size_t> choose_target(std::vector<TargetCandidate>& candidates, const ChooseOptions& options,
                                  Progress& progress) {
  return Chooser(candidates, options, progress).run();
}

}  // namespace tarmac

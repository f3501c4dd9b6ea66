#include "tarmac/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace tarmac {
namespace {

constexpr double kNsPerSecond = 1e9;

// 100 µs · 10^(i / 3), rounded to two digits, so that a bound reads well.
constexpr std::array<std::int64_t, DurationHistogram::kBuckets> kBoundsNs{
    100'000,       220'000,       460'000,       1'000'000,     2'200'000,   4'600'000,
    10'000'000,    22'000'000,    46'000'000,    100'000'000,   220'000'000, 460'000'000,
    1'000'000'000, 2'200'000'000, 4'600'000'000, 10'000'000'000};

/// A label's value: backslash, quote and line feed are escaped.
std::string escaped(const std::string& value) {
  std::string text;
  for (const char c : value) {
    if (c == '\\' || c == '"') text += '\\';
    if (c == '\n') {
      text += "\\n";
    } else {
      text += c;
    }
  }
  return text;
}

/// Writes families one after the other.
class Writer {
 public:
  explicit Writer(const std::string& model) : label_(fmt::format("model=\"{}\"", escaped(model))) {}

  void counter(const char* name, const char* help, const std::atomic<std::uint64_t>& value) {
    family(name, help, "counter");
    fmt::format_to(out(), "tarmac_{}{{{}}} {}\n", name, label_, value.load(std::memory_order_relaxed));
  }

  void gauge(const char* name, const char* help, const std::atomic<std::int64_t>& value) {
    family(name, help, "gauge");
    fmt::format_to(out(), "tarmac_{}{{{}}} {}\n", name, label_, value.load(std::memory_order_relaxed));
  }

  void histogram(const char* name, const char* help, const DurationHistogram& durations) {
    family(name, help, "histogram");
    std::uint64_t below = 0;
    for (std::size_t i = 0; i <= DurationHistogram::kBuckets; ++i) {
      below += durations.in_bucket(i);
      const std::string bound =
          i < DurationHistogram::kBuckets
              ? fmt::format("{}", static_cast<double>(DurationHistogram::bound_ns(i)) / kNsPerSecond)
              : "+Inf";
      fmt::format_to(out(), "tarmac_{}_bucket{{{},le=\"{}\"}} {}\n", name, label_, bound, below);
    }
    fmt::format_to(out(), "tarmac_{}_sum{{{}}} {}\n", name, label_,
                   static_cast<double>(durations.sum_ns()) / kNsPerSecond);
    // Of the buckets just read, so that it equals the last of them whatever is added meanwhile.
    fmt::format_to(out(), "tarmac_{}_count{{{}}} {}\n", name, label_, below);
  }

  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::back_insert_iterator<std::string> out() { return std::back_inserter(text_); }
  void family(const char* name, const char* help, const char* type) {
    fmt::format_to(out(), "# HELP tarmac_{0} {1}\n# TYPE tarmac_{0} {2}\n", name, help, type);
  }

  std::string label_;
  std::string text_;
};

}  // namespace

std::int64_t DurationHistogram::bound_ns(std::size_t i) { return kBoundsNs[i]; }

void DurationHistogram::add(std::int64_t duration_ns) {
  const std::int64_t duration = std::max<std::int64_t>(0, duration_ns);
  const auto bucket = std::lower_bound(kBoundsNs.begin(), kBoundsNs.end(), duration) - kBoundsNs.begin();
  counts_[static_cast<std::size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
  sum_ns_.fetch_add(duration, std::memory_order_relaxed);
}

std::uint64_t DurationHistogram::count() const {
  std::uint64_t sum = 0;
  for (const auto& count : counts_) sum += count.load(std::memory_order_relaxed);
  return sum;
}

std::string Metrics::prometheus(const std::string& model) const {
  Writer writer(model);
  writer.counter("runs_total", "Runs that gave a result.", runs);
  writer.counter("failures_total", "Runs that ended with an error, late ones not counted.", failures);
  writer.counter("deadlines_missed_total", "Late work, whether it was begun or not.", deadlines_missed);
  writer.counter("cold_shapes_total", "Runs with shapes that the plan does not make ready.", cold_shapes);
  writer.counter("scenes_total", "Times that temporal state began anew.", scenes);
  writer.counter("batches_total", "Batches that were run.", batches);
  writer.counter("batched_items_total", "Items in these batches.", batched_items);
  writer.counter("rejected_total", "Items that a batcher had no room for.", rejected);
  writer.gauge("queued", "Items that wait in a batcher.", queued);
  writer.gauge("contexts", "Sessions on the model.", contexts);
  writer.histogram("run_seconds", "Durations of runs that gave a result.", run_time);
  writer.histogram("queue_seconds", "Durations of items' waits for their batch.", queue_time);
  writer.histogram("preprocess_seconds", "Durations of preprocessing one picture.", preprocess_time);
  return writer.take();
}

}  // namespace tarmac

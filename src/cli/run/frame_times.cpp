#include "cli/run/frame_times.h"

#include "metrics/latency.h"

namespace tarmac::cli {

Json times_json(const std::vector<std::int64_t>& samples_ns) {
  const auto summary = summarize_latency(samples_ns);
  if (!summary) return nullptr;
  const auto ms = [](double ns) { return ns / 1e6; };
  return {{"mean", ms(summary->mean_ns)},
          {"p50", ms(static_cast<double>(summary->p50_ns))},
          {"p99", ms(static_cast<double>(summary->p99_ns))}};
}

std::string time_text(const std::vector<std::int64_t>& samples_ns, const char* key) {
  const Json times = times_json(samples_ns);
  return times.is_null() ? "-" : format_time(times[key].get<double>() * 1e6);
}

}  // namespace tarmac::cli

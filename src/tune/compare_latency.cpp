#include "tune/compare_latency.h"

#include <algorithm>
#include <memory>

#include "runtime/inputs.h"
#include "runtime/measure.h"

namespace tarmac {
namespace {

double median(std::vector<std::int64_t> times_ns) {
  const auto middle = times_ns.begin() + static_cast<std::ptrdiff_t>(times_ns.size() / 2);
  std::nth_element(times_ns.begin(), middle, times_ns.end());
  return static_cast<double>(*middle);
}

}  // namespace

Result<std::vector<double>> median_latencies(std::span<Executable* const> models,
                                             const std::map<std::string, Tensor>& inputs, double seconds,
                                             Progress& progress) {
  std::vector<std::unique_ptr<Context>> owned;
  std::vector<Context*> contexts;
  for (Executable* model : models) {
    TARMAC_TRY(owned.emplace_back(), model->create_context());
    TARMAC_CHECK_OK(bind_inputs(*owned.back(), inputs));
    contexts.push_back(owned.back().get());
  }
  MeasureOptions options;
  options.duration_s = seconds;
  progress.start("measure latency", 0);
  TARMAC_TRY(auto times, measure_interleaved(contexts, options, progress));
  progress.finish();
  std::vector<double> medians;
  for (auto& one : times) medians.push_back(median(std::move(one)));
  return medians;
}

}  // namespace tarmac

#include "cli/compare.h"

#include <algorithm>

namespace tarmac::cli {

bool within(const Comparison& comparison, double limit) {
  return std::all_of(comparison.begin(), comparison.end(),
                     [&](const OutputComparison& output) { return output.metrics.within(limit); });
}

SampleSource made_up_batches(const std::vector<TensorInfo>& inputs, const ShapeChoice& shapes,
                             std::int64_t count) {
  return [inputs, shapes, count, made = std::int64_t{0}]() mutable -> Result<std::optional<NamedTensors>> {
    if (made == count) return std::optional<NamedTensors>();
    TARMAC_TRY(auto tensors, random_inputs(inputs, shapes, static_cast<std::uint64_t>(++made)));
    return std::optional(std::move(tensors));
  };
}

void print(Output& output, const Comparison& comparison) {
  Table table({{"output"},
               {"max error / range", Table::Align::kRight},
               {"max error", Table::Align::kRight},
               {"SNR", Table::Align::kRight},
               {"cosine", Table::Align::kRight},
               {"NaN or infinity", Table::Align::kRight}});
  for (const OutputComparison& output_comparison : comparison) {
    const ErrorMetrics& metrics = output_comparison.metrics;
    table.add({output_comparison.output, fmt::format("{:.3g} %", 100 * metrics.max_rel),
               fmt::format("{:.3g}", metrics.max_abs), fmt::format("{:.1f} dB", metrics.snr_db),
               fmt::format("{:.6f}", metrics.cosine),
               format_count(metrics.nan_mismatches + metrics.infinity_mismatches)});
  }
  table.print(output);
}

Json to_json(const Comparison& comparison) {
  Json json = Json::object();
  for (const OutputComparison& output : comparison) {
    const ErrorMetrics& metrics = output.metrics;
    json[output.output] = {{"samples", output.samples},
                           {"worst_sample", output.worst_sample},
                           {"max_rel", metrics.max_rel},
                           {"max_abs", metrics.max_abs},
                           {"mean_abs", metrics.mean_abs},
                           {"rms", metrics.rms},
                           {"snr_db", metrics.snr_db},
                           {"cosine", metrics.cosine},
                           {"nan_mismatches", metrics.nan_mismatches},
                           {"infinity_mismatches", metrics.infinity_mismatches},
                           {"count", metrics.count}};
  }
  return json;
}

}  // namespace tarmac::cli

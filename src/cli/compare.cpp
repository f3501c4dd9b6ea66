#include "cli/compare.h"

namespace tarmac::cli {

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

}  // namespace tarmac::cli

#include "precision/judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "precision/rounding.h"

namespace tarmac {
namespace {

/// From here on a sum kept in 16 bits stops growing when it adds numbers of one size: half a step of 2048
/// is 1.
constexpr std::int64_t kLargeSum = 2048;

bool sums(const Node& node) {
  return node.domain.empty() && (node.op_type == "ReduceSum" || node.op_type == "ReduceMean" ||
                                 node.op_type == "ReduceL1" || node.op_type == "GlobalAveragePool");
}

std::string judge_sum(const Node& node, const ValueStats* in, const ValueStats& out,
                      const PlanOptions& options) {
  if (in == nullptr || in->count == 0 || out.count == 0) return {};
  const std::int64_t terms = in->count / out.count;
  if (terms >= kLargeSum) return fmt::format("large sum: of {} numbers", terms);
  const bool mean = node.op_type == "ReduceMean" || node.op_type == "GlobalAveragePool";
  const double largest = out.max_abs * (mean ? static_cast<double>(terms) : 1.0);
  if (largest * options.headroom <= limits_of(options.type).max) return {};
  return fmt::format("large sum: it reaches {:.3g} before the division, {} ends at {:.5g}", largest,
                     to_string(options.type), limits_of(options.type).max);
}

/// Attention runs as one node, so its products of queries and keys are not seen: what they can reach at most
/// is |q|·|k|·d, times the scale.
std::string judge_attention(const Node& node, const StatsLookup& lookup, const PlanOptions& options) {
  const Value* query = node.input(0);
  if (!node.is("Attention") || query == nullptr || node.input(1) == nullptr) return {};
  const ValueStats* q = lookup(*query);
  const ValueStats* k = lookup(*node.input(1));
  const auto& shape = query->type.shape;
  if (q == nullptr || k == nullptr || !shape || shape->empty() || !shape->back().known()) return {};
  const bool heads_apart = shape->size() == 4;
  const std::int64_t heads =
      heads_apart ? 1 : std::max<std::int64_t>(1, node.attribute_or<std::int64_t>("q_num_heads", 1));
  const double width = static_cast<double>(*shape->back().size) / static_cast<double>(heads);
  const double scale = node.attribute_or<float>("scale", static_cast<float>(1 / std::sqrt(width)));
  const double largest = q->max_abs * k->max_abs * width * std::fabs(scale);
  if (largest * options.headroom <= limits_of(options.type).max) return {};
  return fmt::format("overflow: its products of queries and keys may reach {:.3g}, {} ends at {:.5g}",
                     largest, to_string(options.type), limits_of(options.type).max);
}

}  // namespace

double snr_limit(const PlanOptions& options) {
  if (options.min_snr_db > 0) return options.min_snr_db;
  return options.type == DType::kFloat16 ? 40 : 30;
}

std::string misfit(const ValueStats& stats, const PlanOptions& options) {
  const FloatLimits limits = limits_of(options.type);
  if (stats.max_abs > limits.max)
    return fmt::format("overflow: up to {:.4g}, {} ends at {:.5g}", stats.max_abs, to_string(options.type),
                       limits.max);
  if (stats.max_abs * options.headroom > limits.max)
    return fmt::format("overflow is near: up to {:.4g} on this data, {} ends at {:.5g}", stats.max_abs,
                       to_string(options.type), limits.max);
  if (stats.integers && stats.max_abs > static_cast<double>(limits.exact_integers))
    return fmt::format("positions: whole numbers up to {:.0f}, {} is exact up to {}", stats.max_abs,
                       to_string(options.type), limits.exact_integers);
  return {};
}

std::string loss(const ValueStats& stats, const PlanOptions& options) {
  const double snr = stats.snr_db();
  if (snr >= snr_limit(options)) return {};
  const double lost =
      static_cast<double>(stats.zeros) / static_cast<double>(std::max<std::int64_t>(stats.count, 1));
  if (stats.zeros + stats.subnormals > 0 && stats.min_abs < limits_of(options.type).min_normal) {
    return fmt::format(
        "underflow: {:.3g} % become 0 and {} more lose digits, numbers from {:.3g}; {:.1f} dB left",
        100 * lost, stats.subnormals, stats.min_abs, snr);
  }
  return fmt::format("loss: {:.1f} dB signal to noise by this alone, limit {:.0f} dB", snr,
                     snr_limit(options));
}

Judgement judge_node(const Node& node, const PlanOptions& options, const StatsLookup& lookup) {
  const auto with = [](const char* what, const Value& value, const std::string& reason,
                       const ValueStats& stats) {
    return Judgement{fmt::format("{} ({} '{}')", reason, what, value.name()), stats};
  };
  for (const Value* output : node.outputs()) {
    const ValueStats* stats = output == nullptr ? nullptr : lookup(*output);
    if (stats == nullptr) continue;
    if (const auto reason = misfit(*stats, options); !reason.empty())
      return with("result", *output, reason, *stats);
  }
  for (const Value* input : node.inputs()) {
    const ValueStats* stats = input == nullptr ? nullptr : lookup(*input);
    if (stats == nullptr) continue;
    // Weights that are whole numbers are judged by what rounding does to them.
    const bool exact = constant_of(input) != nullptr && stats->noise == 0 && stats->infinities == 0;
    if (exact) continue;
    if (const auto reason = misfit(*stats, options); !reason.empty())
      return with("input", *input, reason, *stats);
    if (constant_of(input) == nullptr) continue;
    if (const auto reason = loss(*stats, options); !reason.empty())
      return with("constant", *input, reason, *stats);
  }
  for (const Value* output : node.outputs()) {
    const ValueStats* stats = output == nullptr ? nullptr : lookup(*output);
    if (stats != nullptr && stats->broken()) {
      return with("result", *output,
                  fmt::format("{} numbers become infinite and {} NaN", stats->infinities, stats->nans),
                  *stats);
    }
  }
  if (const auto reason = judge_attention(node, lookup, options); !reason.empty())
    return with("input", *node.input(0), reason, *lookup(*node.input(0)));
  const Value* result = node.output(0);
  const ValueStats* stats = result == nullptr ? nullptr : lookup(*result);
  if (stats == nullptr) return {};
  if (sums(node)) {
    const ValueStats* in = node.input(0) == nullptr ? nullptr : lookup(*node.input(0));
    if (const auto reason = judge_sum(node, in, *stats, options); !reason.empty())
      return with("result", *result, reason, *stats);
  }
  for (const Value* output : node.outputs()) {
    stats = output == nullptr ? nullptr : lookup(*output);
    if (stats == nullptr) continue;
    if (const auto reason = loss(*stats, options); !reason.empty())
      return with("result", *output, reason, *stats);
  }
  return {};
}

}  // namespace tarmac

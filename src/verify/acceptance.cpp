#include "verify/acceptance.h"

#include <cstdio>
#include <functional>

#include "verify/compare_outputs.h"
#include "verify/scorer.h"

namespace tarmac {
namespace {

// Accuracies are quotients of counts: their difference may miss a limit that it equals by a rounding.
constexpr double kRounding = 1e-9;

std::string format(const char* pattern, double value) {
  char text[64];
  std::snprintf(text, sizeof(text), pattern, value);
  return text;
}

std::string in_words(double value, const std::string& unit) {
  if (unit == "fraction") return format("%.3f %%", value * 100);
  if (unit == "ns") return format("%.3f ms", value * 1e-6);
  if (unit == "bytes") return format("%.1f MiB", value / (1024.0 * 1024.0));
  if (unit == "m/s") return format("%.4f m/s", value);
  return format("%.1f /s", value);
}

void judge(Criterion& criterion) {
  const bool at_most = criterion.bound == Bound::kAtMost;
  const std::string asked = (at_most ? "at most " : "at least ") + in_words(criterion.limit, criterion.unit);
  const std::string name =
      criterion.metric.empty() ? criterion.name : criterion.name + " (" + criterion.metric + ")";
  if (!criterion.measured) {
    criterion.detail = name + " was not measured; " + asked + " is asked";
    return;
  }
  const double slack = criterion.unit == "fraction" || criterion.unit == "m/s" ? kRounding : 0;
  // A NaN compares false and so fails.
  criterion.passed =
      at_most ? *criterion.measured <= criterion.limit + slack : *criterion.measured >= criterion.limit;
  criterion.detail =
      name + " is " + in_words(*criterion.measured, criterion.unit) + "; " + asked + " is asked";
}

Criterion make_criterion(std::string name, Bound bound, double limit, std::string unit) {
  Criterion criterion;
  criterion.name = std::move(name);
  criterion.bound = bound;
  criterion.limit = limit;
  criterion.unit = std::move(unit);
  return criterion;
}

using Measure = std::function<std::optional<double>(const VariantMeasurements&)>;
using Figure = std::optional<double> VariantMeasurements::*;
using Selects = std::function<bool(const VariantMeasurements&)>;

class Checklist {
 public:
  explicit Checklist(std::span<const VariantMeasurements> variants) : variants_(variants) {}

  /// `blank` for every variant that `selects` picks, with what `measure` says of it.
  void add(const Criterion& blank, const Selects& selects, const Measure& measure) {
    const std::size_t before = criteria_.size();
    for (const VariantMeasurements& variant : variants_) {
      if (!selects(variant)) continue;
      Criterion criterion = blank;
      criterion.target = variant.target;
      criterion.variant = variant.variant;
      criterion.measured = measure(variant);
      judge(criterion);
      criteria_.push_back(std::move(criterion));
    }
    if (criteria_.size() > before) return;
    criteria_.push_back(blank);
    judge(criteria_.back());
  }

  void add_drop(const std::string& variant, const std::optional<double>& limit, const char* metric) {
    if (!limit) return;
    Criterion blank = make_criterion(variant + "_drop", Bound::kAtMost, *limit, "fraction");
    blank.variant = variant;
    blank.metric = metric;
    add(
        blank, [&](const auto& v) { return v.variant == variant; },
        [&](const auto& v) -> std::optional<double> {
          const auto original = of_original(&VariantMeasurements::accuracy, v.target);
          if (!original || !v.accuracy) return std::nullopt;
          return *original - *v.accuracy;
        });
  }

  /// A loss of every deployed variant: what the original has more of, or less for an error.
  void add_loss(const Criterion& blank, Figure figure, double sign, const Selects& selects) {
    add(blank, selects, [&](const auto& v) -> std::optional<double> {
      const auto original = of_original(figure, v.target);
      if (!original || !(v.*figure)) return std::nullopt;
      return sign * (*original - *(v.*figure));
    });
  }

  /// On the same target, else on any.
  [[nodiscard]] std::optional<double> of_original(Figure figure, const std::string& target) const {
    std::optional<double> found;
    for (const VariantMeasurements& variant : variants_) {
      if (variant.variant != "original" || !(variant.*figure)) continue;
      if (variant.target == target) return variant.*figure;
      if (!found) found = variant.*figure;
    }
    return found;
  }

  [[nodiscard]] std::vector<Criterion> take() { return std::move(criteria_); }

 private:
  std::span<const VariantMeasurements> variants_;
  std::vector<Criterion> criteria_;
};

bool is_deployed(const VariantMeasurements& variant) { return variant.deployed; }

Measure latency(std::int64_t LatencySummary::*field) {
  return [field](const VariantMeasurements& v) -> std::optional<double> {
    if (!v.latency) return std::nullopt;
    return static_cast<double>((*v.latency).*field);
  };
}

}  // namespace

std::vector<Criterion> check_acceptance(const Contract& contract,
                                        std::span<const VariantMeasurements> variants) {
  constexpr double kNsPerMs = 1e6;
  const AcceptanceSpec& limits = contract.acceptance;
  Checklist list(variants);
  if (contract.reference) {
    list.add(
        make_criterion("max_relative_error", Bound::kAtMost, contract.reference->max_relative_error,
                       "fraction"),
        [](const auto& v) { return v.variant == "original" || v.variant == "fp32"; },
        [](const auto& v) {
          return v.reference_error ? std::optional(severity(*v.reference_error)) : std::nullopt;
        });
  }
  const char* const metric = display_name(evaluation_of(contract).metric);
  list.add_drop("fp32", limits.fp32_drop, metric);
  list.add_drop("int8", limits.int8_drop, metric);
  list.add_drop("fp16", limits.fp16_drop, metric);
  list.add_drop("bf16", limits.bf16_drop, metric);
  if (limits.nds_drop) {
    list.add_loss(make_criterion("nds_drop", Bound::kAtMost, *limits.nds_drop, "fraction"),
                  &VariantMeasurements::nds, 1, is_deployed);
  }
  if (limits.velocity_error_rise) {
    list.add_loss(make_criterion("velocity_error_rise", Bound::kAtMost, *limits.velocity_error_rise, "m/s"),
                  &VariantMeasurements::velocity_error, -1, is_deployed);
  }
  if (limits.latency_p50_ms) {
    list.add(make_criterion("latency_p50", Bound::kAtMost, *limits.latency_p50_ms * kNsPerMs, "ns"),
             is_deployed, latency(&LatencySummary::p50_ns));
  }
  if (limits.latency_p99_ms) {
    list.add(make_criterion("latency_p99", Bound::kAtMost, *limits.latency_p99_ms * kNsPerMs, "ns"),
             is_deployed, latency(&LatencySummary::p99_ns));
  }
  if (limits.throughput_per_s) {
    list.add(make_criterion("throughput", Bound::kAtLeast, *limits.throughput_per_s, "1/s"), is_deployed,
             [](const auto& v) { return v.throughput_per_s; });
  }
  if (limits.memory_bytes) {
    list.add(make_criterion("memory", Bound::kAtMost, static_cast<double>(*limits.memory_bytes), "bytes"),
             is_deployed, [](const auto& v) -> std::optional<double> {
               if (!v.peak_memory_bytes) return std::nullopt;
               return static_cast<double>(*v.peak_memory_bytes);
             });
  }
  return list.take();
}

Status acceptance_status(std::span<const Criterion> criteria) {
  std::string failed;
  for (const Criterion& criterion : criteria) {
    if (criterion.passed) continue;
    failed += (failed.empty() ? "" : "; ") + criterion.detail;
    if (!criterion.variant.empty() && !criterion.target.empty()) {
      failed += " (" + criterion.variant + " on " + criterion.target + ")";
    }
  }
  if (failed.empty()) return {};
  return make_error(ErrorCode::kAcceptance, "the contract's acceptance is not met: " + failed);
}

}  // namespace tarmac

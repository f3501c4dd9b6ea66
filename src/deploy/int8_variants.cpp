#include "deploy/int8_variants.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/sha256.h"
#include "graph/model_io.h"
#include "plan/cpu_features.h"
#include "precision/adapt_for_int8.h"
#include "precision/calibrate_dataset.h"
#include "tune/mixed_precision.h"
#include "tune/twin_model.h"

namespace tarmac {
namespace {

/// Names a calibration: equal ranges from equal observations have equal digests.
std::string digest(const Ranges& ranges) {
  std::string text;
  for (const auto& [name, range] : ranges) {
    text += name + '\0';
    text.append(reinterpret_cast<const char*>(&range.min), sizeof range.min);
    text.append(reinterpret_cast<const char*>(&range.max), sizeof range.max);
  }
  return to_hex(sha256(std::as_bytes(std::span(text))));
}

void note(const AccuracyReport& done, const std::string& where, report::DeployReport& report) {
  const auto decibels = [](double noise) { return noise > 0 ? -10 * std::log10(noise) : 999.0; };
  if (!done.changes.empty()) {
    report.notes.push_back(
        fmt::format("{}: {} nodes adapted to INT8; SNR of the outputs {:.1f} dB before, {:.1f} dB after",
                    where, done.changes.size(), decibels(done.noise_before), decibels(done.noise_after)));
  }
  for (const Change& change : done.declined) {
    if (change.node.empty()) report.notes.push_back(where + ": " + change.pass + ": " + change.what);
  }
}

class Maker {
 public:
  Maker(const Int8Job& job, report::DeployReport& report, Progress& progress)
      : job_(job),
        spec_(job.contract.precision),
        report_(report),
        progress_(progress),
        model_(clone_model(job.model)) {
    accuracy_.equalize = spec_.equalize;
    accuracy_.correct_bias = spec_.bias_correction;
    accuracy_.adapt_rounding = spec_.adaptive_rounding;
    options_.weight_bits = int8_weight_bits();
    if (options_.weight_bits < 8) report_.notes.emplace_back(kSevenBitsNote);
  }

  Result<std::vector<Variant>> run() {
    if (spec_.max_drop) name_nodes(model_);
    progress_.start("equalise channels", 0);
    TARMAC_TRY(const AccuracyReport prepared,
               prepare_for_int8(model_, common_fusion_rules(job_.targets), *job_.targets.front(), accuracy_,
                                options_, job_.samples, progress_));
    progress_.finish();
    note(prepared, "equalisation", report_);
    std::vector<FusionGroups> groups;
    for (const Target* target : job_.targets)
      groups.push_back(find_fusion_groups(model_, target->fusion_rules()));
    TARMAC_CHECK_OK(calibrate(groups));
    std::vector<Variant> variants;
    for (std::size_t i = 0; i < job_.targets.size(); ++i) {
      TARMAC_TRY(auto variant, quantize(*job_.targets[i], groups[i]));
      if (variant) variants.push_back(*std::move(variant));
    }
    return variants;
  }

 private:
  Status calibrate(const std::vector<FusionGroups>& groups) {
    std::vector<std::string> values;
    for (const FusionGroups& one : groups) {
      for (std::string& value : observed_values(model_, one)) {
        if (std::find(values.begin(), values.end(), value) == values.end())
          values.push_back(std::move(value));
      }
    }
    CalibrateOptions options;
    options.observe.histograms = needs_histogram(spec_.method);
    TARMAC_TRY(const DatasetCalibration done,
               calibrate_dataset(model_, values, *job_.targets.front(), options, job_.contract,
                                 job_.calibration, 0, progress_));
    for (const Error& error : done.unreadable)
      report_.notes.push_back("left out of calibration: " + error.str());
    for (const std::string& label : missing_labels(job_.contract, job_.calibration))
      report_.notes.push_back("calibration has no sample of the class '" + label + "'");
    for (const std::string& name : constant_values(done.found.statistics))
      report_.notes.push_back("'" + name + "' was the same number in all of calibration");
    ranges_ = ranges_of(done.found.statistics, {.method = spec_.method});
    report_.calibration = report::CalibrationFacts{to_string(spec_.method),
                                                   static_cast<std::int64_t>(job_.calibration.size()),
                                                   job_.contract.calibration->path.string(),
                                                   digest(ranges_),
                                                   done.found.time_ns,
                                                   static_cast<std::int64_t>(ranges_.size())};
    return {};
  }

  Result<std::optional<Variant>> quantize(Target& target, const FusionGroups& groups) {
    Model adapted = clone_model(model_);
    progress_.start("adapt to INT8 on " + target.name(), 0);
    TARMAC_TRY(const AccuracyReport done, adapt_for_int8(adapted, groups, ranges_, target, accuracy_,
                                                         options_, job_.samples, progress_));
    progress_.finish();
    note(done, target.name(), report_);
    Variant variant{"int8", std::move(adapted), &target};
    if (spec_.max_drop) {
      TARMAC_TRY(const bool kept, tune(target, groups, variant));
      if (!kept) return std::optional<Variant>();
    } else {
      TARMAC_TRY(const QuantizeReport quantized, quantize_static(variant.model, groups, ranges_, options_));
      for (const QuantizedNode& node : quantized.nodes) {
        report_.precision.push_back({.target = target.name(),
                                     .variant = "int8",
                                     .node = node.node,
                                     .op_type = node.op_type,
                                     .precision = node.quantized ? "int8" : "float32",
                                     .reason = node.reason});
      }
    }
    TARMAC_CHECK_OK(verify_model(variant.model));
    return std::optional(std::move(variant));
  }

  /// Whether a mix was found that keeps the budget and pays.
  Result<bool> tune(Target& target, const FusionGroups& groups, Variant& variant) {
    const Model adapted = std::move(variant.model);
    // Biases correct what the groups in INT8 do together, so each choice of them has its own.
    const GroupQuantizer quantize = [&](Model& copy, const FusionGroups& chosen) -> Result<QuantizeReport> {
      if (chosen.groups.size() == groups.groups.size()) {
        copy = clone_model(adapted);
      } else {
        TARMAC_CHECK_OK(
            adapt_for_int8(copy, chosen, ranges_, target, accuracy_, options_, job_.samples, progress_));
      }
      return quantize_static(copy, chosen, ranges_, options_);
    };
    Contract contract = job_.contract;
    if (job_.evaluation == nullptr) contract.evaluation.reset();
    const Dataset& data = job_.evaluation != nullptr ? *job_.evaluation : job_.calibration;
    TARMAC_TRY(MixedPrecisionResult found, tune_precision({.model = model_,
                                                           .groups = groups,
                                                           .quantize = quantize,
                                                           .target = target,
                                                           .compile = accuracy_.compile,
                                                           .contract = contract,
                                                           .data = data,
                                                           .max_drop = *spec_.max_drop},
                                                          progress_));
    for (const GroupRow& row : found.rows) {
      report_.precision.push_back({.target = target.name(),
                                   .variant = "int8",
                                   .node = row.node,
                                   .op_type = row.op_type,
                                   .precision = row.int8 ? "int8" : "float32",
                                   .reason = row.reason,
                                   .sensitivity = row.sensitivity,
                                   .snr_db = row.snr_db,
                                   .float_ns = row.float_ns,
                                   .int8_ns = row.int8_ns});
    }
    if (!found.verdict) {
      report_.notes.push_back(target.name() + ": no INT8 model: " + found.verdict.error().message);
      return false;
    }
    variant.model = std::move(found.model);
    return true;
  }

  const Int8Job& job_;
  const PrecisionSpec& spec_;
  report::DeployReport& report_;
  Progress& progress_;
  Model model_;  // equalised
  AccuracyOptions accuracy_;
  QuantizeOptions options_;
  Ranges ranges_;
};

}  // namespace

Result<std::vector<Variant>> make_int8_variants(const Int8Job& job, report::DeployReport& report,
                                                Progress& progress) {
  return Maker(job, report, progress).run();
}

}  // namespace tarmac

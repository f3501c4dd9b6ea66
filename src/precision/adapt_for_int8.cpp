#include "precision/adapt_for_int8.h"

#include <iterator>
#include <utility>

#include "graph/model_io.h"
#include "precision/adaptive_rounding.h"
#include "precision/calibrate.h"
#include "precision/correct_bias.h"
#include "precision/equalize_channels.h"

namespace tarmac {
namespace {

void append(std::vector<Change>& to, std::vector<Change> from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

Result<Model> quantized_copy(const Model& model, const FusionGroups& groups, const Ranges& ranges,
                             const QuantizeOptions& options) {
  Model copy = clone_model(model);
  TARMAC_TRY(const QuantizeReport done, quantize_static(copy, groups, ranges, options));
  return copy;
}

/// A model whose state is carried from frame to frame cannot be run on single samples.
const Value* unbound_input(const Model& model, const SampleSet& samples) {
  for (const Value* input : model.graph->inputs()) {
    const bool bound =
        input->initializer() != nullptr || samples.empty() || samples.front().inputs.contains(input->name());
    if (!bound) return input;
  }
  return nullptr;
}

std::string no_data_for(const Value& input) {
  return "the samples have nothing for input '" + input.name() + "'";
}

class Method {
 public:
  Method(Target& target, const AccuracyOptions& accuracy, const QuantizeOptions& options,
         const SampleSet& samples, Progress& progress)
      : target_(target),
        accuracy_(accuracy),
        options_(options),
        samples_(samples),
        halves_(halves(samples)),
        progress_(progress) {}

  Result<AccuracyReport> equalize(Model& model, const FusionRules& rules) {
    AccuracyReport report;
    const FusionGroups groups = find_fusion_groups(model, rules);
    const auto wanted = channels_to_measure(model, groups);
    if (wanted.empty()) {
      report.declined.push_back({"equalize_channels", {}, "no channels between two nodes with weights"});
      return report;
    }
    MeasureChannelsOptions measuring;
    measuring.compile = accuracy_.compile;
    measuring.means = false;
    TARMAC_TRY(const auto measured,
               measure_channels(model, wanted, target_, measuring, replay(samples_), progress_));
    Model candidate = clone_model(model);
    TARMAC_TRY(auto changes, equalize_channels(candidate, groups, measured));
    if (changes.empty()) {
      report.declined.push_back({"equalize_channels", {}, "the channels are equal already"});
      return report;
    }
    TARMAC_TRY(const auto noise,
               OutputNoise::open(model, target_, accuracy_.compile, halves_.judge, progress_));
    TARMAC_TRY(report.noise_before, trial(model, rules, *noise));
    TARMAC_TRY(report.noise_after, trial(candidate, rules, *noise));
    if (report.noise_after < report.noise_before) {
      model = std::move(candidate);
      report.changes = std::move(changes);
    } else {
      report.noise_after = report.noise_before;
      report.declined.push_back({"equalize_channels", {}, "quantised outputs are no better by it"});
    }
    return report;
  }

  /// Weights that INT8 holds, where they make a better model than those that quantize_static() would round.
  Status adapt_rounding(Model& model, const FusionGroups& groups, const Ranges& ranges,
                        AccuracyReport& report) {
    AdaptiveRoundingOptions rounding;
    rounding.compile = accuracy_.compile;
    rounding.weight_bits = options_.weight_bits;
    const OpenSamples open = [&]() -> Result<CalibrationSource> { return replay(halves_.fit); };
    Model candidate = clone_model(model);
    TARMAC_TRY(auto changes, round_adaptively(candidate, groups, target_, rounding, open, progress_));
    TARMAC_TRY(const auto noise,
               OutputNoise::open(model, target_, accuracy_.compile, halves_.judge, progress_));
    TARMAC_TRY(const Model plain, quantized_copy(model, groups, ranges, options_));
    TARMAC_TRY(const Model better, quantized_copy(candidate, groups, ranges, options_));
    TARMAC_TRY(report.noise_before, noise->of(plain));
    TARMAC_TRY(report.noise_after, noise->of(better));
    if (report.noise_after < report.noise_before) {
      model = std::move(candidate);
      append(report.changes, std::move(changes));
    } else {
      report.noise_after = report.noise_before;
      report.declined.push_back({"round_adaptively", {}, "quantised outputs are no better by it"});
    }
    return {};
  }

  /// `reference` is the float model before its weights were adapted.
  Status correct_bias(Model& model, const Model& reference, const FusionGroups& groups, const Ranges& ranges,
                      AccuracyReport& report) {
    const Quantize quantize = [&](const Model& floats) {
      return quantized_copy(floats, groups, ranges, options_);
    };
    TARMAC_TRY(BiasCorrection corrected, tarmac::correct_bias(model, reference, groups, quantize, target_,
                                                              {accuracy_.compile}, halves_, progress_));
    if (!accuracy_.adapt_rounding) report.noise_before = corrected.noise_before;
    report.noise_after = corrected.noise_after;
    if (corrected.changes.empty())
      report.declined.push_back({"correct_bias", {}, "quantised outputs are no better by it"});
    append(report.changes, std::move(corrected.changes));
    append(report.declined, std::move(corrected.declined));
    return {};
  }

 private:
  Result<double> trial(const Model& model, const FusionRules& rules, OutputNoise& noise) {
    const FusionGroups groups = find_fusion_groups(model, rules);
    CalibrateOptions calibrating;
    calibrating.compile = accuracy_.compile;
    TARMAC_TRY(const Calibration seen, calibrate(model, observed_values(model, groups), target_, calibrating,
                                                 replay(samples_), progress_));
    TARMAC_TRY(const Model quantized,
               quantized_copy(model, groups, ranges_of(seen.statistics, {}), options_));
    return noise.of(quantized);
  }

  Target& target_;
  const AccuracyOptions& accuracy_;
  const QuantizeOptions& options_;
  const SampleSet& samples_;
  const Halves halves_;
  Progress& progress_;
};

}  // namespace

Result<AccuracyReport> prepare_for_int8(Model& model, const FusionRules& rules, Target& target,
                                        const AccuracyOptions& accuracy, const QuantizeOptions& options,
                                        const SampleSet& samples, Progress& progress) {
  if (!accuracy.equalize) return AccuracyReport();
  if (const Value* input = unbound_input(model, samples); input != nullptr) {
    AccuracyReport report;
    report.declined.push_back({"equalize_channels", {}, no_data_for(*input)});
    return report;
  }
  return Method(target, accuracy, options, samples, progress).equalize(model, rules);
}

Result<AccuracyReport> adapt_for_int8(Model& model, const FusionGroups& groups, const Ranges& ranges,
                                      Target& target, const AccuracyOptions& accuracy,
                                      const QuantizeOptions& options, const SampleSet& samples,
                                      Progress& progress) {
  AccuracyReport report;
  if (!accuracy.adapt_rounding && !accuracy.correct_bias) return report;
  if (const Value* input = unbound_input(model, samples); input != nullptr) {
    report.declined.push_back({"adapt_for_int8", {}, no_data_for(*input)});
    return report;
  }
  const Model reference = clone_model(model);
  Method method(target, accuracy, options, samples, progress);
  if (accuracy.adapt_rounding) TARMAC_CHECK_OK(method.adapt_rounding(model, groups, ranges, report));
  if (accuracy.correct_bias) TARMAC_CHECK_OK(method.correct_bias(model, reference, groups, ranges, report));
  return report;
}

}  // namespace tarmac

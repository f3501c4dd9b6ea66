#include "tune/sensitivity.h"

#include <algorithm>
#include <memory>
#include <string>

#include "runtime/compile.h"

namespace tarmac {
namespace {

/// The toggled model with its switches.
class Toggle {
 public:
  static Result<Toggle> create(const TwinParts& parts, Target& target, const CompileOptions& options,
                               Progress& progress) {
    Toggle toggle;
    TARMAC_TRY(toggle.model_, make_toggled_model(parts));
    TARMAC_TRY(toggle.executable_, compile_model(target, toggle.model_.model, options, progress));
    TARMAC_TRY(toggle.context_, toggle.executable_->create_context());
    toggle.groups_ = parts.groups.groups.size();
    return toggle;
  }

  /// The metric with every group set to `others` but one.
  Result<double> score(bool others, std::size_t one, MetricSamples& samples, Progress& progress) {
    TARMAC_TRY(Tensor switches, Tensor::allocate(DType::kBool, Shape{static_cast<std::int64_t>(groups_)}));
    for (std::size_t i = 0; i < groups_; ++i) switches.mutable_data<bool>()[i] = (i == one) != others;
    TARMAC_CHECK_OK(context_->set_input(model_.input, switches));
    return samples.score_held(*context_, *executable_, progress);
  }
  [[nodiscard]] std::size_t none() const { return groups_; }

 private:
  ToggledModel model_;
  std::unique_ptr<Executable> executable_;
  std::unique_ptr<Context> context_;
  std::size_t groups_ = 0;
};

}  // namespace

Result<Sensitivities> measure_sensitivities(const TwinParts& parts, const std::vector<std::size_t>& groups,
                                            MetricSamples& samples, Target& target,
                                            const SensitivityOptions& options, Progress& progress) {
  TARMAC_TRY(Toggle toggle, Toggle::create(parts, target, options.compile, progress));
  Sensitivities found;
  const auto score = [&](bool others, std::size_t one) {
    found.inferences += static_cast<std::int64_t>(samples.held().size());
    return toggle.score(others, one, samples, progress);
  };
  progress.start("measure the metric of " + std::to_string(groups.size()) + " groups", groups.size() + 1);
  TARMAC_TRY(const double all_int8, score(true, toggle.none()));
  progress.advance();
  for (const std::size_t group : groups) {
    TARMAC_TRY(const double without, score(true, group));
    found.values.push_back(without - all_int8);
    progress.advance();
  }
  progress.finish();
  const double plain = samples.held_plain();
  const double must_regain = plain - options.max_drop - all_int8;
  if (groups.empty() || *std::max_element(found.values.begin(), found.values.end()) >= must_regain / 2)
    return found;
  progress.start("measure the metric of each group alone in INT8", groups.size());
  for (std::size_t i = 0; i < groups.size(); ++i) {
    TARMAC_TRY(const double alone, score(false, groups[i]));
    found.values[i] = std::max(found.values[i], plain - alone);
    progress.advance();
  }
  progress.finish();
  return found;
}

}  // namespace tarmac

#include "tune/sensitivity.h"

#include <algorithm>
#include <memory>
#include <set>
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
    return toggle;
  }

  /// The metric with these groups in INT8.
  Result<double> score(const std::vector<bool>& int8, MetricSamples& samples, Progress& progress) {
    TARMAC_TRY(Tensor switches,
               Tensor::allocate(DType::kBool, Shape{static_cast<std::int64_t>(int8.size())}));
    std::copy(int8.begin(), int8.end(), switches.mutable_data<bool>().begin());
    TARMAC_CHECK_OK(context_->set_input(model_.input, switches));
    return samples.score_held(*context_, *executable_, progress);
  }

 private:
  ToggledModel model_;
  std::unique_ptr<Executable> executable_;
  std::unique_ptr<Context> context_;
};

/// All in INT8 but `kept`, and what keep_in_float() takes along.
std::vector<bool> all_but(const TwinParts& parts, std::size_t kept) {
  std::set<std::string> left;
  const std::string& name = parts.groups.groups[kept].name;
  for (const FusionGroup& group : keep_in_float(parts.model, parts.groups, {{name, {}}}).groups)
    left.insert(group.name);
  std::vector<bool> int8;
  for (const FusionGroup& group : parts.groups.groups) int8.push_back(left.contains(group.name));
  return int8;
}

}  // namespace

Result<Sensitivities> measure_sensitivities(const TwinParts& parts, const std::vector<std::size_t>& groups,
                                            MetricSamples& samples, Target& target,
                                            const SensitivityOptions& options, Progress& progress) {
  TARMAC_TRY(Toggle toggle, Toggle::create(parts, target, options.compile, progress));
  Sensitivities found;
  const auto score = [&](const std::vector<bool>& int8) {
    found.inferences += static_cast<std::int64_t>(samples.held().size());
    return toggle.score(int8, samples, progress);
  };
  const std::size_t count = parts.groups.groups.size();
  progress.start("measure the metric of " + std::to_string(groups.size()) + " groups", groups.size() + 1);
  TARMAC_TRY(const double all_int8, score(std::vector<bool>(count, true)));
  progress.advance();
  for (const std::size_t group : groups) {
    TARMAC_TRY(const double without, score(all_but(parts, group)));
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
    std::vector<bool> one(count, false);
    one[groups[i]] = true;
    TARMAC_TRY(const double alone, score(one));
    found.values[i] = std::max(found.values[i], plain - alone);
    progress.advance();
  }
  progress.finish();
  return found;
}

}  // namespace tarmac

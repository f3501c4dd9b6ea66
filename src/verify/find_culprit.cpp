#include "verify/find_culprit.h"

#include <fmt/format.h>

#include <algorithm>

#include "graph/model_io.h"
#include "passes/infer_shapes.h"
#include "verify/reference_engine.h"

namespace tarmac {
namespace {

constexpr std::size_t kValuesAtOnce = 64;
constexpr std::size_t kNamedChanges = 5;

struct Step {
  Model model;
  OptimizeReport report;
};

Result<Step> run_steps(const Model& original, OptimizeOptions options, std::size_t count) {
  Step step{clone_model(original), {}};
  options.max_steps = count;
  options.progress = nullptr;
  options.trace.clear();
  TARMAC_TRY(step.report, optimize(step.model, options));
  return step;
}

Result<NamedTensors> outputs_of(const Model& model, const NamedTensors& inputs) {
  TARMAC_TRY(const auto executable, compile_reference(model, no_progress(), 1));
  TARMAC_TRY(const auto context, executable->create_context());
  return run_once(*context, *executable, inputs);
}

bool agree(const NamedTensors& expected, const Result<NamedTensors>& found) {
  if (!found) return false;
  return std::all_of(expected.begin(), expected.end(), [&](const auto& entry) {
    const auto other = found->find(entry.first);
    ComparedOutput unused;
    return other != found->end() && judge_output(entry.second, other->second, unused).empty();
  });
}

/// Values of the main graph that both models compute, in the order in which the second does.
std::vector<std::string> common_values(const Model& before, const Model& after) {
  std::vector<std::string> names;
  for (const auto& node : after.graph->nodes()) {
    for (const Value* output : node->outputs()) {
      if (output == nullptr || !output->type.is_tensor()) continue;
      const Value* other = before.graph->find(output->name());
      if (other != nullptr && other->producer() != nullptr && other->type.is_tensor())
        names.push_back(output->name());
    }
  }
  return names;
}

/// `model` with these values as further outputs.
Model expose(const Model& model, const std::vector<std::string>& names) {
  Model copy = clone_model(model);
  for (const std::string& name : names) {
    Value* value = copy.graph->find(name);
    if (!value->is_output()) copy.graph->add_output(*value);
  }
  return copy;
}

/// The first value that differs between two models, in execution order; "" when none does.
Result<std::string> first_difference(const Model& before, const Model& after, const NamedTensors& inputs,
                                     Progress& progress) {
  Model typed_before = clone_model(before);
  Model typed_after = clone_model(after);
  TARMAC_CHECK_OK(infer_shapes(typed_before));
  TARMAC_CHECK_OK(infer_shapes(typed_after));
  const std::vector<std::string> names = common_values(typed_before, typed_after);
  for (std::size_t first = 0; first < names.size(); first += kValuesAtOnce) {
    if (progress.cancelled()) return make_error(ErrorCode::kCancelled, "the search was interrupted");
    const std::size_t last = std::min(first + kValuesAtOnce, names.size());
    const std::vector<std::string> some(names.begin() + static_cast<std::ptrdiff_t>(first),
                                        names.begin() + static_cast<std::ptrdiff_t>(last));
    TARMAC_TRY(const NamedTensors expected, outputs_of(expose(typed_before, some), inputs));
    TARMAC_TRY(const NamedTensors found, outputs_of(expose(typed_after, some), inputs));
    for (const std::string& name : some) {
      ComparedOutput unused;
      if (!judge_output(expected.at(name), found.at(name), unused).empty()) return name;
    }
  }
  return std::string();
}

}  // namespace

Result<Culprit> find_culprit(const Model& original, const OptimizeOptions& options,
                             const Difference& difference, Progress& progress) {
  const NamedTensors& inputs = difference.inputs;
  TARMAC_TRY(const NamedTensors expected, outputs_of(original, inputs));
  TARMAC_TRY(Step all, run_steps(original, options, SIZE_MAX));
  // What came before the steps, or chance, is no pass's fault.
  if (agree(expected, outputs_of(all.model, inputs))) return Culprit();
  // Steps up to `good` agree, up to `bad` differ.
  std::size_t good = 0;
  std::size_t bad = all.report.steps.size();
  progress.start("find the pass", 0);
  while (bad - good > 1) {
    if (progress.cancelled()) return make_error(ErrorCode::kCancelled, "the search was interrupted");
    const std::size_t middle = good + (bad - good) / 2;
    TARMAC_TRY(const Step step, run_steps(original, options, middle));
    (agree(expected, outputs_of(step.model, inputs)) ? good : bad) = middle;
    progress.advance();
  }
  progress.finish();
  Culprit culprit;
  if (bad == 0) return culprit;
  const PassStep& step = all.report.steps[bad - 1];
  culprit.pass = step.pass;
  culprit.round = step.round;
  const auto first = all.report.changes.begin() + static_cast<std::ptrdiff_t>(step.first_change);
  culprit.changes = {first, first + static_cast<std::ptrdiff_t>(step.changes)};
  TARMAC_TRY(const Step before, run_steps(original, options, bad - 1));
  TARMAC_TRY(const Step after, run_steps(original, options, bad));
  // The culprit is known; if inner values cannot be looked at, that is all there is.
  const auto value = first_difference(before.model, after.model, inputs, progress);
  if (!value || value->empty()) return culprit;
  culprit.value = *value;
  culprit.node = after.model.graph->find(*value)->producer()->label();
  const auto about = std::find_if(culprit.changes.begin(), culprit.changes.end(),
                                  [&](const Change& change) { return change.node == culprit.node; });
  if (about != culprit.changes.end()) culprit.change = *about;
  return culprit;
}

Error to_error(const Difference& difference, const Culprit& culprit) {
  std::string text = "the optimised model differs from the original";
  if (!difference.output.empty()) text += " in output '" + difference.output + "'";
  if (!difference.data.empty())
    text += " on " + difference.data + (difference.data == "made up" ? " inputs" : "") +
            (difference.shapes.empty() ? "" : " at " + difference.shapes);
  text += ": " + difference.what + ". ";
  if (culprit.pass.empty()) {
    text += "No single pass could be blamed";
  } else {
    text += fmt::format("The first pass that makes it differ is {} (round {}), which changed ", culprit.pass,
                        culprit.round);
    std::size_t named = 0;
    for (const Change& change : culprit.changes) {
      if (++named > kNamedChanges) break;
      text += fmt::format("{}'{}'", named == 1 ? "" : ", ", change.node);
    }
    if (culprit.changes.empty()) text += "nothing that it reported";
    if (culprit.changes.size() > kNamedChanges)
      text += fmt::format(" and {} more", culprit.changes.size() - kNamedChanges);
    if (!culprit.value.empty()) text += fmt::format("; the first value that differs is '{}'", culprit.value);
    if (culprit.change) text += " (" + culprit.change->what + ")";
    text += "; go on with --skip " + culprit.pass;
  }
  return make_error(ErrorCode::kAcceptance, text + ", and please report it. Nothing was written",
                    culprit.node);
}

}  // namespace tarmac

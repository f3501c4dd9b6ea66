#include <algorithm>

#include "contract/sections.h"
#include "contract/words.h"

namespace tarmac {
namespace {

constexpr int kMostFrames = 1000;
constexpr std::int64_t kMostIndex = std::int64_t{1} << 40U;

Result<const InputSpec*> parse_input(const Field& field, const Contract& contract) {
  TARMAC_TRY(const Field name, field.require("input"));
  TARMAC_TRY(const std::string word, name.text("the name of an input"));
  if (const InputSpec* input = contract.find_input(word)) return input;
  std::vector<std::string_view> names;
  for (const InputSpec& input : contract.inputs) names.push_back(input.name);
  return name.wrong_word(names);
}

/// One of the input's own axes: the batch is no slice of a sample.
Result<int> parse_axis(const Field& field, const InputSpec& input) {
  if (input.shape.empty()) return field.error("the input '" + input.name + "' has no axes");
  TARMAC_TRY(const int axis, field.small_integer(0, static_cast<int>(input.shape.size()) - 1));
  if (axis == 0 && !input.shape.front().fixed())
    return field.error("axis 0 of '" + input.name + "' is the batch; name an axis of the sample");
  return axis;
}

Result<FaultSpec> parse_drop(const Field& field, const Contract& contract) {
  TARMAC_CHECK_OK(field.allow_keys({"input", "axis", "index"}));
  FaultSpec fault{.kind = FaultKind::kDrop};
  TARMAC_TRY(const InputSpec* input, parse_input(field, contract));
  fault.input = input->name;
  const auto index = field.find("index");
  const auto axis = field.find("axis");
  if (!axis && !index) return fault;
  if (!axis || !index)
    return field.error("axis and index go together: which slice is dropped; without both, all of the input");
  TARMAC_TRY(fault.axis, parse_axis(*axis, *input));
  const InputDim& dim = input->shape[static_cast<std::size_t>(*fault.axis)];
  TARMAC_TRY(fault.index, index->integer(0, dim.fixed() ? dim.size - 1 : kMostIndex));
  return fault;
}

Result<FaultSpec> parse_late(const Field& field, const Contract& contract) {
  TARMAC_CHECK_OK(field.allow_keys({"input", "frames"}));
  if (!contract.sequence)
    return field.error("late needs the section 'sequence', which says which frames follow each other");
  FaultSpec fault{.kind = FaultKind::kLate};
  TARMAC_TRY(const InputSpec* input, parse_input(field, contract));
  fault.input = input->name;
  if (const auto frames = field.find("frames")) {
    TARMAC_TRY(fault.frames, frames->small_integer(1, kMostFrames));
  }
  return fault;
}

Result<FaultSpec> parse_shuffle(const Field& field, const Contract& contract) {
  TARMAC_CHECK_OK(field.allow_keys({"input", "axis", "seed"}));
  FaultSpec fault{.kind = FaultKind::kShuffle};
  TARMAC_TRY(const InputSpec* input, parse_input(field, contract));
  fault.input = input->name;
  TARMAC_TRY(const Field axis, field.require("axis"));
  TARMAC_TRY(fault.axis, parse_axis(axis, *input));
  const InputDim& dim = input->shape[static_cast<std::size_t>(*fault.axis)];
  if (dim.fixed() && dim.size < 2) return axis.error("one slice alone has no other order");
  if (const auto seed = field.find("seed")) {
    TARMAC_TRY(const std::int64_t number, seed->integer(0, std::numeric_limits<std::int64_t>::max()));
    fault.seed = static_cast<std::uint64_t>(number);
  }
  return fault;
}

Result<FaultSpec> parse_fault(const Field& field, const Contract& contract) {
  if (field.is_scalar()) {
    TARMAC_TRY(const FaultKind kind, field.choice(kFaultWords));
    if (kind != FaultKind::kNeverReset && kind != FaultKind::kAlwaysReset)
      return field.wrong(std::string(to_string(kind)) + ": {input: NAME, …}");
    if (!contract.sequence || contract.sequence->state.empty())
      return field.error(std::string(to_string(kind)) + " needs sequence.state, which says what is carried");
    return FaultSpec{.kind = kind};
  }
  TARMAC_CHECK_OK(field.allow_keys({"drop", "late", "shuffle"}));
  TARMAC_TRY(const auto entries, field.entries("one of drop, late and shuffle"));
  if (entries.size() != 1) return field.error("found several faults in one entry; give each its own '-'");
  const auto& [word, body] = entries.front();
  if (word == "drop") return parse_drop(body, contract);
  if (word == "late") return parse_late(body, contract);
  return parse_shuffle(body, contract);
}

}  // namespace

Result<std::vector<FaultSpec>> parse_robustness(const Field& field, const Contract& contract) {
  if (!contract.evaluation || !contract.evaluation_data)
    return field.error("robustness needs 'evaluation' and data.evaluation: faults are judged by the metric");
  TARMAC_TRY(const auto elements, field.elements("a list of faults, such as [never_reset, always_reset]"));
  std::vector<FaultSpec> faults;
  for (const Field& element : elements) {
    TARMAC_TRY(FaultSpec fault, parse_fault(element, contract));
    if (std::find(faults.begin(), faults.end(), fault) != faults.end())
      return element.error("found this fault again; name each once");
    faults.push_back(std::move(fault));
  }
  return faults;
}

}  // namespace tarmac

#include <algorithm>

#include "contract/sections.h"
#include "contract/words.h"

namespace tarmac {
namespace {

Result<StateSpec> parse_state(const Field& field) {
  TARMAC_CHECK_OK(field.allow_keys({"output", "input", "first"}));
  StateSpec state;
  TARMAC_TRY(const Field output, field.require("output"));
  TARMAC_TRY(state.output, output.text("the name of an output"));
  TARMAC_TRY(const Field input, field.require("input"));
  TARMAC_TRY(state.input, input.text("the name of an input"));
  const auto first = field.find("first");
  if (!first || (first->is_scalar() && first->text().ok() && *first->text() == "zeros")) return state;
  TARMAC_TRY(state.first, first->existing_file());
  if (state.first.extension() != ".npy") return first->wrong("zeros, or an .npy file");
  return state;
}

/// A kind of data says where its scenes begin in one way only.
Status check_scenes(const Field& field, const std::optional<DataSource>& source, SceneSource scenes) {
  if (!source) return {};
  const bool fits = scenes == SceneSource::kOne ||
                    (scenes == SceneSource::kFolders &&
                     (source->kind == DataKind::kFolder || source->kind == DataKind::kList)) ||
                    (scenes == SceneSource::kColumn && source->kind == DataKind::kList) ||
                    (scenes == SceneSource::kArray && source->kind == DataKind::kTensors);
  if (fits) return {};
  return field.error(
      "folders needs data in a folder or list, column a list, array an .npz; a video is a scene of its own "
      "(scenes: one)");
}

}  // namespace

Result<SequenceSpec> parse_sequence(const Field& field, const Contract& contract) {
  TARMAC_CHECK_OK(field.allow_keys({"scenes", "state"}));
  SequenceSpec sequence;
  if (const auto scenes = field.find("scenes")) {
    TARMAC_TRY(sequence.scenes, scenes->choice(kSceneWords));
    TARMAC_CHECK_OK(check_scenes(*scenes, contract.calibration, sequence.scenes));
    TARMAC_CHECK_OK(check_scenes(*scenes, contract.evaluation_data, sequence.scenes));
  }
  for (const InputSpec& input : contract.inputs) {
    if (!input.shape.empty() && input.shape.front().fixed() && input.shape.front().size != 1)
      return field.error("frames in order are read one at a time, but the input '" + input.name +
                         "' has the batch size " + std::to_string(input.shape.front().size));
  }
  const auto state = field.find("state");
  if (!state) return sequence;
  TARMAC_TRY(const auto elements, state->elements("a list of {output: NAME, input: NAME}"));
  for (const Field& element : elements) {
    TARMAC_TRY(StateSpec one, parse_state(element));
    if (contract.find_input(one.input) != nullptr)
      return element.error("'" + one.input +
                           "' stands among the inputs that data is read for; remove it there");
    const bool again = std::any_of(sequence.state.begin(), sequence.state.end(), [&](const StateSpec& other) {
      return other.input == one.input || other.output == one.output;
    });
    if (again) return element.error("found an input or output that is carried already; name each once");
    sequence.state.push_back(std::move(one));
  }
  return sequence;
}

}  // namespace tarmac

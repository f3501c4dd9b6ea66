#include "sequence/state_carrier.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "tensor/io.h"

namespace tarmac {
namespace {

Error wrong(const std::string& what, const std::string& name) {
  return make_error(ErrorCode::kInvalidInput, what, name);
}

Result<Type> type_of(const std::vector<TensorInfo>& infos, const std::string& name, const char* kind) {
  std::string names;
  for (const TensorInfo& info : infos) {
    if (info.name == name) return info.type;
    names += (names.empty() ? "" : ", ") + info.name;
  }
  return wrong(
      std::string("sequence.state names the ") + kind + " '" + name + "', but the model has " + names, name);
}

/// Whether a tensor of this shape can be of this type.
bool fits(const Type& type, const Shape& shape) {
  if (!type.shape) return true;
  if (type.shape->size() != shape.size()) return false;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const Dim& dim = (*type.shape)[i];
    if (dim.known() && *dim.size != shape[i]) return false;
  }
  return true;
}

Result<Tensor> zeros(const Type& type, const std::string& input) {
  const auto unknown = [&] {
    return wrong("the model does not say every size of the state '" + input + "' (" + to_string(type) +
                     "); name a .npy file as its first value",
                 input);
  };
  if (!type.shape || bit_width(type.dtype) == 0) return unknown();
  Shape shape;
  for (const Dim& dim : *type.shape) {
    if (!dim.known() && !shape.empty()) return unknown();
    shape.push_back(dim.known() ? *dim.size : 1);
  }
  TARMAC_TRY(Tensor tensor, Tensor::allocate(type.dtype, shape));
  const auto bytes = tensor.mutable_bytes();
  std::memset(bytes.data(), 0, bytes.size());
  return tensor;
}

Result<Tensor> copy_of(const Tensor& tensor) {
  TARMAC_TRY(Tensor copy, Tensor::allocate(tensor.dtype(), tensor.shape()));
  std::memcpy(copy.mutable_bytes().data(), tensor.bytes().data(), tensor.bytes().size());
  return copy;
}

}  // namespace

Result<FirstValues> read_first_values(const std::vector<StateSpec>& states) {
  FirstValues values;
  for (const StateSpec& spec : states) {
    if (spec.first.empty()) continue;
    TARMAC_TRY(values[spec.input], read_npy(spec.first));
  }
  return values;
}

Result<StateCarrier::State> StateCarrier::open_state(const StateSpec& spec, const Tensor* first,
                                                     const std::vector<TensorInfo>& inputs,
                                                     const std::vector<TensorInfo>& outputs) {
  TARMAC_TRY(const Type input, type_of(inputs, spec.input, "input"));
  TARMAC_TRY(const Type output, type_of(outputs, spec.output, "output"));
  State state;
  state.input = spec.input;
  state.output = spec.output;
  if (first == nullptr) {
    TARMAC_TRY(state.first, zeros(input, spec.input));
  } else {
    state.first = *first;
    if (state.first.dtype() != input.dtype || !fits(input, state.first.shape())) {
      return make_error(ErrorCode::kInvalidInput,
                        "the first value of the state '" + spec.input + "' is " +
                            to_string(state.first.dtype()) + " " + to_string(state.first.shape()) +
                            "; expected " + to_string(input),
                        spec.input, spec.first.string());
    }
  }
  if (output.dtype != input.dtype || !fits(output, state.first.shape())) {
    return wrong("the output '" + spec.output + "' is " + to_string(output) + ", but the state input '" +
                     spec.input + "' takes " + to_string(input) + " " + to_string(state.first.shape()),
                 spec.output);
  }
  state.memory_is_ours = output.static_shape().has_value();
  TARMAC_TRY(state.current, copy_of(state.first));
  TARMAC_TRY(state.next, copy_of(state.first));
  return state;
}

Result<StateCarrier> StateCarrier::open(const std::vector<StateSpec>& states, const FirstValues& first,
                                        const std::vector<TensorInfo>& inputs,
                                        const std::vector<TensorInfo>& outputs) {
  StateCarrier carrier;
  for (const StateSpec& spec : states) {
    const bool again = std::any_of(carrier.states_.begin(), carrier.states_.end(), [&](const State& other) {
      return other.input == spec.input || other.output == spec.output;
    });
    if (again) return wrong("sequence.state names '" + spec.input + "' or its output twice", spec.input);
    const auto value = first.find(spec.input);
    TARMAC_TRY(State state,
               open_state(spec, value == first.end() ? nullptr : &value->second, inputs, outputs));
    carrier.states_.push_back(std::move(state));
  }
  return carrier;
}

void StateCarrier::reset() {
  for (State& state : states_) {
    std::memcpy(state.current.mutable_bytes().data(), state.first.bytes().data(), state.first.bytes().size());
    state.has_next = false;
  }
}

Status StateCarrier::bind(Context& context) {
  for (State& state : states_) {
    if (std::exchange(state.has_next, false)) std::swap(state.current, state.next);
    TARMAC_CHECK_OK(context.set_input(state.input, state.current));
    if (state.memory_is_ours) TARMAC_CHECK_OK(context.set_output(state.output, state.next));
  }
  return {};
}

Status StateCarrier::after_run(Context& context) {
  for (State& state : states_) {
    if (!state.memory_is_ours) {
      TARMAC_CHECK_OK(context.read_output(state.output, state.made));
      const Tensor& made = state.made;
      if (made.shape() != state.first.shape()) {
        return wrong("the output '" + state.output + "' came as " + to_string(made.shape()) +
                         ", but the state input '" + state.input + "' began as " +
                         to_string(state.first.shape()),
                     state.output);
      }
      std::memcpy(state.next.mutable_bytes().data(), made.bytes().data(), made.bytes().size());
    }
    state.has_next = true;
  }
  return {};
}

const Tensor* StateCarrier::value(const std::string& input) const {
  const auto found =
      std::find_if(states_.begin(), states_.end(), [&](const State& state) { return state.input == input; });
  return found == states_.end() ? nullptr : &found->current;
}

bool StateCarrier::has_output(const std::string& output) const {
  return std::any_of(states_.begin(), states_.end(),
                     [&](const State& state) { return state.output == output; });
}

std::map<std::string, Shape> StateCarrier::shapes() const {
  std::map<std::string, Shape> shapes;
  for (const State& state : states_) shapes[state.input] = state.first.shape();
  return shapes;
}

}  // namespace tarmac

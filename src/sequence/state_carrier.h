// State of a model over time: outputs of one run that are inputs of the next, begun anew with each scene.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "targets/target.h"
#include "tarmac/contract.h"

namespace tarmac {

/// What scenes begin with, by state input; zeros for those that are not in it.
using FirstValues = std::map<std::string, Tensor>;

/// Reads the `first` files. Errors: what read_npy() has.
Result<FirstValues> read_first_values(const std::vector<StateSpec>& states);

/// For each run: bind(), Context::run(), after_run(). What is carried lies in two buffers that take turns, so
/// nothing is allocated from run to run, and nothing copied where the model says the state's shape. Not
/// thread-safe.
class StateCarrier {
 public:
  /// For a model with these inputs and outputs. Unknown sizes of a state come from its `first` file, and are
  /// 1 for the first axis without one. Errors: kInvalidInput (names the input or output: not there, given
  /// twice, types that contradict each other, unknown sizes without a file, a file of another dtype or
  /// shape), what read_npy() has.
  static Result<StateCarrier> open(const std::vector<StateSpec>& states,
                                   const std::vector<TensorInfo>& inputs,
                                   const std::vector<TensorInfo>& outputs) {
    TARMAC_TRY(const auto first, read_first_values(states));
    return open(states, first, inputs, outputs);
  }
  /// With the `first` files read before, by input.
  static Result<StateCarrier> open(const std::vector<StateSpec>& states, const FirstValues& first,
                                   const std::vector<TensorInfo>& inputs,
                                   const std::vector<TensorInfo>& outputs);

  /// The next run begins a scene: with the first state.
  void reset();
  /// Gives the context the state, and memory for the next. May be another context each time.
  Status bind(Context& context);
  /// The outputs become the next run's inputs. Until bind() comes again, value() still tells what went in.
  /// Errors: kInvalidInput when an output's shape is not the input's.
  Status after_run(Context& context);

  /// What the latest run had for this state input; null for inputs that are none.
  [[nodiscard]] const Tensor* value(const std::string& input) const;
  [[nodiscard]] bool empty() const { return states_.empty(); }
  /// Whether an output is written by this carrier's memory.
  [[nodiscard]] bool has_output(const std::string& output) const;
  /// Shapes of the state inputs by name.
  [[nodiscard]] std::map<std::string, Shape> shapes() const;

 private:
  struct State {
    std::string output;
    std::string input;
    Tensor first;
    Tensor current;               ///< what the latest bind() gave, or the next will give
    Tensor next;                  ///< what the latest run made, or will make
    Tensor made;                  ///< the engine's own memory of it, where that is not `next`
    bool memory_is_ours = false;  ///< the model says the output's shape: it is written into `next`
    bool has_next = false;
  };
  static Result<State> open_state(const StateSpec& spec, const Tensor* first,
                                  const std::vector<TensorInfo>& inputs,
                                  const std::vector<TensorInfo>& outputs);

  std::vector<State> states_;
};

}  // namespace tarmac

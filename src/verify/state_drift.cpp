#include "verify/state_drift.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/codec.h"

namespace tarmac {

Status DriftMeter::add(std::size_t frame, const Tensor& reference, const Tensor& other) {
  if (reference.shape() != other.shape()) {
    return make_error(
        ErrorCode::kInvalidInput,
        "the state is " + to_string(other.shape()) + ", the original's " + to_string(reference.shape()),
        output_);
  }
  TARMAC_TRY(const std::vector<double> expected, to_doubles(reference));
  TARMAC_TRY(const std::vector<double> found, to_doubles(other));
  frames_.resize(std::max(frames_.size(), frame + 1));
  Squares& squares = frames_[frame];
  for (std::size_t i = 0; i < expected.size(); ++i) {
    squares.signal += expected[i] * expected[i];
    squares.error += (found[i] - expected[i]) * (found[i] - expected[i]);
  }
  return {};
}

StateDrift DriftMeter::drift() const {
  StateDrift drift{output_, {}};
  for (const auto& [signal, error] : frames_) {
    const double nothing = error == 0 ? 0 : std::numeric_limits<double>::infinity();
    drift.by_frame.push_back(signal == 0 ? nothing : std::sqrt(error / signal));
  }
  return drift;
}

}  // namespace tarmac

// How far the state that a model carries strays from another model's, over the length of a scene.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "tarmac/result.h"
#include "tarmac/tensor.h"

namespace tarmac {

/// Of one state output: ‖a − r‖ / ‖r‖ over all elements, for the frames at each place in their scenes, all
/// scenes together; a being the model's and r the reference's, each carrying its own state. Infinite where r
/// is zero and a is not.
struct StateDrift {
  std::string output;
  std::vector<double> by_frame;
};

/// Gathers the drift of one output.
class DriftMeter {
 public:
  explicit DriftMeter(std::string output) : output_(std::move(output)) {}

  /// Adds the frame at this place in its scene. Errors: kInvalidInput when the shapes differ, kUnsupported
  /// (dtype).
  Status add(std::size_t frame, const Tensor& reference, const Tensor& other);
  [[nodiscard]] StateDrift drift() const;

 private:
  struct Squares {
    double signal = 0;
    double error = 0;
  };
  std::string output_;
  std::vector<Squares> frames_;
};

}  // namespace tarmac

// Smallest and largest of many floats.
#pragma once

#include <span>

namespace tarmac {

struct Extremes {
  float low = 0;
  float high = 0;
  bool finite = true;  ///< false: NaN or infinity among them, low and high mean nothing
};

/// Of at least one value (asserted).
Extremes extremes_of(std::span<const float> values);

}  // namespace tarmac

// An interval of a tensor's values.
#pragma once

#include <map>
#include <string>

namespace tarmac {

/// Smallest and largest value seen. Empty until the first observation.
struct Range {
  float min = 0;
  float max = 0;
  bool empty = true;

  void include(float low, float high);
  bool operator==(const Range&) const = default;
};

/// By value name.
using Ranges = std::map<std::string, Range>;

}  // namespace tarmac

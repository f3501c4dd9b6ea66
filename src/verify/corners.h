// The shapes at which two forms of a model are compared.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "runtime/inputs.h"
#include "tarmac/plan.h"

namespace tarmac {

struct Corner {
  std::string name;  ///< "batch=1, height=224"; empty when the model leaves no size open
  ShapeChoice shapes;
};

struct Corners {
  std::vector<Corner> corners;
  std::size_t left_out = 0;  ///< combinations beyond the cap
};

/// Corners never number more than this: the extremes come first, then each size alone at its extremes.
inline constexpr std::size_t kMaxCorners = 27;

/// Every combination of the smallest, usual and largest value of each open size that the profiles give (sizes
/// of one symbol move together); where those would be more than kMaxCorners: all at the smallest, the usual
/// and the largest, then each size alone at its extremes. Errors: kNotFound and kInvalidInput when a profile
/// does not fit the inputs.
Result<Corners> profile_corners(std::span<const TensorInfo> inputs, const std::vector<ShapeRanges>& profiles);

/// Without profiles: batch sizes 1, 2 and 5 where the first size of an input is open; other open sizes are
/// `size`. One corner with an empty name where nothing is open.
std::vector<Corner> default_corners(std::span<const TensorInfo> inputs, std::int64_t size);

/// Whether a size other than the first of an input is open.
bool has_open_sizes(std::span<const TensorInfo> inputs);

}  // namespace tarmac

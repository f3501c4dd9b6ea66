// Which shapes a plan's profiles admit.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tarmac/plan.h"
#include "tarmac/result.h"

namespace tarmac {

/// OK when some profile admits all of `shapes` together; without profiles every shape is admitted.
/// kOutOfRange names the first input that no profile admits, or else that no single profile admits them
/// together, and the ranges.
Status check_profiles(const std::vector<PlanProfile>& profiles, const std::map<std::string, Shape>& shapes);

/// The same for one input's shape alone.
Status check_profiles(const std::vector<PlanProfile>& profiles, const std::string& input, const Shape& shape);

/// Whether some bucket has these shapes; inputs that it does not name may have any. Allocates nothing.
bool is_bucket(const std::vector<PlanProfile>& profiles, const std::map<std::string, Shape>& shapes);

/// What a strict session says of shapes that are no bucket: kOutOfRange with the buckets there are.
Error not_a_bucket(const std::vector<PlanProfile>& profiles, const std::map<std::string, Shape>& shapes);

}  // namespace tarmac

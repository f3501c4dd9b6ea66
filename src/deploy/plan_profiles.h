// The profiles of a plan, and the shapes among them that are made ready.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "tarmac/plan.h"

namespace tarmac {

/// What is asked for; texts are read by the caller.
struct ProfileRequest {
  std::vector<ShapeRanges> ranges;
  std::vector<InputShapes> buckets;
};

/// Gives each bucket to the first profile that admits it, completed by the profile's opt shapes; each
/// profile's opt shapes are its first bucket. Buckets without any profile make one that admits every shape.
/// Errors: kNotFound (no such input; names those there are), kInvalidInput (a range or bucket that does not
/// fit the input's type), kOutOfRange (a bucket that no profile admits; names the ranges).
Result<std::vector<PlanProfile>> make_profiles(const ProfileRequest& request, const Model& model);

/// A profile of exactly this batch: every input whose first axis is open. Errors: kInvalidInput where none
/// is, or where another axis is open too (asks for a profile).
Result<ShapeRanges> batch_profile(const Model& model, std::int64_t batch);

/// The sizes that the profiles leave no choice for, by input, kOpenSize elsewhere; `keep_batch` leaves first
/// axes other than 1 open.
InputShapes settled_shapes(const std::vector<PlanProfile>& profiles, bool keep_batch);

}  // namespace tarmac

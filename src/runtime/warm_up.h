// Shapes that a plan makes ready before its first result is asked for.
#pragma once

#include <vector>

#include "targets/target.h"
#include "tarmac/plan.h"

namespace tarmac {

/// Runs each bucket of the profiles once, with zeros. Inputs that a bucket does not name have the shape of
/// `state`, else the model's own, with sizes of the same symbol in the bucket, else 1. Nothing stays bound.
/// Errors: the run's, with the bucket in their context.
Status warm_up(Context& context, const std::vector<TensorInfo>& inputs,
               const std::vector<PlanProfile>& profiles, const InputShapes& state);

}  // namespace tarmac

// From a plan to a model: types, weights, attributes and casts.
#pragma once

#include <vector>

#include "precision/units.h"

namespace tarmac {

/// A copy of `source`, for which the units were made, in which all units but the float32 ones are `type`:
/// values and attributes have their types, one Cast stands behind each value that is read in another type,
/// weights are stored in the types in which they are read. Casts that change nothing are removed. The result
/// has been checked: see check_strong_types(). Errors: kInternal where that fails, with the node.
Result<Model> make_mixed_model(const Model& source, const PrecisionUnits& units,
                               const std::vector<bool>& float32, DType type);

}  // namespace tarmac

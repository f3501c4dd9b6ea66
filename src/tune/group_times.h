// Where a model's time goes, group by group.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/progress.h"
#include "graph/graph.h"
#include "precision/fusion_groups.h"
#include "targets/target.h"

namespace tarmac {

/// Time of each group's nodes, in the order of `groups`, with the Q/DQ nodes and conversions before them, on
/// `inputs`: the shortest of a few runs. `model` is the float or the quantised one; every node has a name.
/// Time that the engine gives to no group counts for none. Errors: the target's, kCancelled.
Result<std::vector<std::int64_t>> measure_group_times(const FusionGroups& groups, Model& model,
                                                      Target& target, CompileOptions options,
                                                      const std::map<std::string, Tensor>& inputs,
                                                      Progress& progress);

}  // namespace tarmac

// Which samples follow each other in time.
#pragma once

#include <cstdint>
#include <vector>

#include "contract/picture_list.h"

namespace tarmac {

/// Numbers the scenes of pictures by the folders that they lie in.
void scenes_from_folders(std::vector<DataItem>& items);

/// Whole scenes at random by `seed`, the last one cut at its end, so that `count` ≤ items.size() samples
/// remain in their order. The same on every machine.
std::vector<DataItem> choose_scenes(const std::vector<DataItem>& items, std::size_t count,
                                    std::uint64_t seed);

/// Where shard `index` of `count` (from 0; index = count is the end) begins: an equal share of the samples,
/// with `at_scenes` moved to the next beginning of a scene.
std::size_t shard_begin(const std::vector<DataItem>& items, std::size_t index, std::size_t count,
                        bool at_scenes);

}  // namespace tarmac

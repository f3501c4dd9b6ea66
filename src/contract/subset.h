// A deterministic, stratified choice of samples.
#pragma once

#include <cstdint>
#include <vector>

#include "contract/picture_list.h"

namespace tarmac {

/// Chooses `count` ≤ items.size() items so that every label keeps its share (largest remainder, ties to the
/// lower label), within a label at random by `seed`; the order of `items` is kept. The same on every machine.
std::vector<DataItem> choose_stratified(const std::vector<DataItem>& items, std::size_t count,
                                        std::uint64_t seed);

}  // namespace tarmac

#include "contract/scenes.h"

#include <algorithm>
#include <cassert>
#include <random>

namespace tarmac {
namespace {

bool begins_scene(const std::vector<DataItem>& items, std::size_t i) {
  return i == 0 || items[i].scene != items[i - 1].scene;
}

}  // namespace

void scenes_from_folders(std::vector<DataItem>& items) {
  int scene = 0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0 && items[i].path.parent_path() != items[i - 1].path.parent_path()) ++scene;
    items[i].scene = scene;
  }
}

std::vector<DataItem> choose_scenes(const std::vector<DataItem>& items, std::size_t count,
                                    std::uint64_t seed) {
  assert(count <= items.size());
  std::vector<std::size_t> begins;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (begins_scene(items, i)) begins.push_back(i);
  }
  // As in choose_stratified(): the engine and the remainder are the same in every library.
  std::mt19937_64 random(seed);
  std::vector<std::pair<std::size_t, std::size_t>> chosen;  // begin and number
  for (std::size_t i = 0; count > 0; ++i) {
    std::swap(begins[i], begins[i + random() % (begins.size() - i)]);
    std::size_t end = begins[i] + 1;
    while (end < items.size() && !begins_scene(items, end)) ++end;
    const std::size_t taken = std::min(count, end - begins[i]);
    chosen.emplace_back(begins[i], taken);
    count -= taken;
  }
  std::sort(chosen.begin(), chosen.end());
  std::vector<DataItem> subset;
  for (const auto& [begin, taken] : chosen) {
    const auto from = items.begin() + static_cast<std::ptrdiff_t>(begin);
    subset.insert(subset.end(), from, from + static_cast<std::ptrdiff_t>(taken));
  }
  return subset;
}

std::size_t shard_begin(const std::vector<DataItem>& items, std::size_t index, std::size_t count,
                        bool at_scenes) {
  std::size_t begin = items.size() * index / count;
  while (at_scenes && begin < items.size() && !begins_scene(items, begin)) ++begin;
  return begin;
}

}  // namespace tarmac

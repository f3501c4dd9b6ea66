#include "contract/subset.h"

#include <algorithm>
#include <cassert>
#include <map>
#include <random>

namespace tarmac {
namespace {

/// Samples a label gives: its share of `count` rounded down, then one more for the largest remainders.
std::map<int, std::size_t> quotas(const std::map<int, std::vector<std::size_t>>& by_label, std::size_t total,
                                  std::size_t count) {
  std::map<int, std::size_t> quota;
  std::vector<std::pair<std::size_t, int>> remainders;
  std::size_t given = 0;
  for (const auto& [label, indices] : by_label) {
    quota[label] = count * indices.size() / total;
    remainders.emplace_back(count * indices.size() % total, label);
    given += quota[label];
  }
  std::stable_sort(remainders.begin(), remainders.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  for (std::size_t i = 0; given < count; ++i, ++given) ++quota[remainders[i].second];
  return quota;
}

}  // namespace

std::vector<DataItem> choose_stratified(const std::vector<DataItem>& items, std::size_t count,
                                        std::uint64_t seed) {
  assert(count <= items.size());
  std::map<int, std::vector<std::size_t>> by_label;
  for (std::size_t i = 0; i < items.size(); ++i) by_label[items[i].label].push_back(i);
  const auto quota = quotas(by_label, items.size(), count);
  // std::shuffle and the distributions differ between libraries; the engine and this remainder do not. The
  // bias of the remainder is below 2^-40 for any real folder.
  std::mt19937_64 random(seed);
  std::vector<std::size_t> chosen;
  for (auto& [label, indices] : by_label) {
    const std::size_t wanted = quota.at(label);
    for (std::size_t i = 0; i < wanted; ++i)
      std::swap(indices[i], indices[i + random() % (indices.size() - i)]);
    chosen.insert(chosen.end(), indices.begin(), indices.begin() + static_cast<std::ptrdiff_t>(wanted));
  }
  std::sort(chosen.begin(), chosen.end());
  std::vector<DataItem> subset;
  subset.reserve(count);
  for (const std::size_t index : chosen) subset.push_back(items[index]);
  return subset;
}

}  // namespace tarmac

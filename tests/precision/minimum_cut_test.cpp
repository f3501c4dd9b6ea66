#include "precision/minimum_cut.h"

#include <gmock/gmock.h>

#include <random>

namespace tarmac::test {
namespace {

struct Edge {
  std::size_t from;
  std::size_t to;
  std::int64_t capacity;
};

std::int64_t cost(const std::vector<Edge>& edges, const std::vector<bool>& side) {
  std::int64_t sum = 0;
  for (const Edge& edge : edges) sum += side[edge.from] && !side[edge.to] ? edge.capacity : 0;
  return sum;
}

TEST(MinimumCut, IsAsCheapAsTheBestOfAllPartitions) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    constexpr std::size_t kNodes = 8;
    std::vector<Edge> edges;
    MinimumCut cut(kNodes);
    for (int i = 0; i < 20; ++i) {
      const Edge edge{random() % kNodes, random() % kNodes, static_cast<std::int64_t>(random() % 6)};
      if (edge.from == edge.to) continue;
      edges.push_back(edge);
      cut.add_edge(edge.from, edge.to, edge.capacity);
    }
    const std::vector<bool> side = cut.source_side();
    EXPECT_TRUE(side[0]);
    EXPECT_FALSE(side[1]);
    std::int64_t best = INT64_MAX;
    for (unsigned mask = 0; mask < 1U << kNodes; ++mask) {
      if ((mask & 3U) != 1U) continue;
      std::vector<bool> other;
      for (std::size_t i = 0; i < kNodes; ++i) other.push_back((mask >> i & 1U) != 0);
      best = std::min(best, cost(edges, other));
    }
    EXPECT_EQ(cost(edges, side), best);
  }
}

TEST(MinimumCut, TakesTheSmallestSourceSideAmongEquals) {
  MinimumCut cut(4);
  cut.add_edge(0, 2, 1);
  cut.add_edge(2, 3, 1);
  cut.add_edge(3, 1, 1);
  EXPECT_THAT(cut.source_side(), testing::ElementsAre(true, false, false, false));
}

TEST(MinimumCut, GoesThroughAHundredThousandNodesInARow) {
  constexpr std::size_t kNodes = 100000;
  MinimumCut cut(kNodes);
  cut.add_edge(0, 2, 5);
  for (std::size_t i = 2; i + 1 < kNodes; ++i) cut.add_edge(i, i + 1, i == 50000 ? 1 : 2);
  cut.add_edge(kNodes - 1, 1, 5);
  const auto side = cut.source_side();
  EXPECT_TRUE(side[50000]);
  EXPECT_FALSE(side[50001]);
}

}  // namespace
}  // namespace tarmac::test

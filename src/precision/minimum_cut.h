// Minimum s-t cut of a directed graph (Dinic 1970: shortest augmenting paths by blocking flows).
#pragma once

#include <cstdint>
#include <vector>

namespace tarmac {

class MinimumCut {
 public:
  static constexpr std::int64_t kUncuttable = std::int64_t{1} << 40U;

  /// Node 0 is the source, node 1 the sink.
  explicit MinimumCut(std::size_t nodes) : first_(nodes, kNone) {}

  void add_edge(std::size_t from, std::size_t to, std::int64_t capacity);

  /// Whether each node lies on the source's side, of all minimum cuts the one with the smallest such side.
  std::vector<bool> source_side();

 private:
  static constexpr std::size_t kNone = SIZE_MAX;
  struct Edge {
    std::size_t to;
    std::size_t next;  ///< of the same node
    std::int64_t capacity;
  };

  bool find_levels();
  bool push_path();

  std::vector<std::size_t> first_;
  std::vector<Edge> edges_;  ///< an edge's reverse is its neighbour: index ^ 1
  std::vector<int> level_;
  std::vector<std::size_t> current_;
};

}  // namespace tarmac

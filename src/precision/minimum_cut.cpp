#include "precision/minimum_cut.h"

#include <algorithm>

namespace tarmac {

void MinimumCut::add_edge(std::size_t from, std::size_t to, std::int64_t capacity) {
  edges_.push_back({to, first_[from], capacity});
  first_[from] = edges_.size() - 1;
  edges_.push_back({from, first_[to], 0});
  first_[to] = edges_.size() - 1;
}

/// Breadth-first distances from the source over edges with capacity left; whether the sink is reached.
bool MinimumCut::find_levels() {
  level_.assign(first_.size(), -1);
  level_[0] = 0;
  std::vector<std::size_t> queue = {0};
  for (std::size_t head = 0; head < queue.size(); ++head) {
    const std::size_t node = queue[head];
    for (std::size_t e = first_[node]; e != kNone; e = edges_[e].next) {
      if (edges_[e].capacity == 0 || level_[edges_[e].to] >= 0) continue;
      level_[edges_[e].to] = level_[node] + 1;
      queue.push_back(edges_[e].to);
    }
  }
  return level_[1] >= 0;
}

/// Sends flow along one path of growing levels, without recursion: models are thousands of nodes deep.
bool MinimumCut::push_path() {
  std::vector<std::size_t> path;
  std::size_t node = 0;
  while (node != 1) {
    std::size_t& e = current_[node];
    while (e != kNone && (edges_[e].capacity == 0 || level_[edges_[e].to] != level_[node] + 1))
      e = edges_[e].next;
    if (e != kNone) {
      path.push_back(e);
      node = edges_[e].to;
      continue;
    }
    if (path.empty()) return false;
    node = edges_[path.back() ^ 1U].to;  // dead end: back, and never this way again
    path.pop_back();
    current_[node] = edges_[current_[node]].next;
  }
  std::int64_t flow = kUncuttable;
  for (const std::size_t e : path) flow = std::min(flow, edges_[e].capacity);
  for (const std::size_t e : path) {
    edges_[e].capacity -= flow;
    edges_[e ^ 1U].capacity += flow;
  }
  return true;
}

std::vector<bool> MinimumCut::source_side() {
  while (find_levels()) {
    current_ = first_;
    while (push_path()) {
    }
  }
  std::vector<bool> side;
  for (const int level : level_) side.push_back(level >= 0);
  return side;
}

}  // namespace tarmac

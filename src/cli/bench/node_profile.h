// Where the time of a run goes, node by node.
#pragma once

#include <cstdint>
#include <vector>

#include "cli/bench/subject.h"
#include "tarmac/node_time.h"

namespace tarmac::cli {

struct NodeProfile {
  std::vector<NodeTime> nodes;  ///< mean of a few runs, slowest first
  /// What the engine put in to change layouts and dtypes, in one run.
  std::size_t reorders = 0;
  std::int64_t reorder_ns = 0;
};

/// Opens the model once more, since recording slows the engine down, and runs it with the subject's inputs.
Result<NodeProfile> profile_nodes(const BenchArgs& args, const Subject& subject, Run& run);

void print(Output& output, const NodeProfile& profile);
/// Adds "nodes" and "reorders".
void add_to(Json& json, const NodeProfile& profile);

}  // namespace tarmac::cli

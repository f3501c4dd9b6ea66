// 16-bit floats back to float32.
#pragma once

#include "graph/graph.h"

namespace tarmac {

struct Float32Report {
  std::size_t values = 0;         ///< that changed their type, weights not counted
  std::size_t weights = 0;        ///< tensors stored in 16 bits before
  std::size_t casts_removed = 0;  ///< casts that had become no-ops
  std::size_t casts_added = 0;    ///< at inputs and outputs that keep their type
};

/// Every type, weight and attribute of the graph and those nested in it: float16 and bfloat16 become
/// float32. The result computes in float32 what the graph computed in 16 bits.
Status widen_graph(Graph& graph, Float32Report* report = nullptr);

/// Types, dtypes and tensors in the node's own attributes; nested graphs are left alone.
Status widen_attributes(Node& node);

/// The whole model, local functions inlined, and casts that change nothing any more removed. With `keep_io`
/// inputs and outputs of 16 bits stay, with a cast behind or before them.
Result<Float32Report> convert_to_float32(Model& model, bool keep_io);

}  // namespace tarmac

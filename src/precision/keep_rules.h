// Nodes that stay in float32 because of what they compute, whatever their numbers are today.
#pragma once

#include <map>
#include <string>

#include "graph/graph.h"

namespace tarmac {

/// Nodes of the model, nested graphs included, with the reason in words:
/// - normalisations, softmax, exponentials, logarithms, powers, running sums, Range, random numbers;
/// - a normalisation written as elementary nodes: mean, x − mean, square, mean of squares, root, quotient;
/// - sampling coordinates: GridSample's grid, regions of interest, and numbers that become indices, back to
///   the convolution, large matrix product or model input that they come from.
std::map<const Node*, std::string> nodes_to_keep(const Model& model);

}  // namespace tarmac

// Models in which each group of nodes is there twice: in float and as it was quantised.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"
#include "precision/fusion_groups.h"

namespace tarmac {

/// Gives every node of the main graph a name: its label, which is a group's name. Twins are found by it.
void name_nodes(Model& model);

/// What both kinds of twins are made of. Every node has a name (name_nodes()).
struct TwinParts {
  const Model& model;          ///< in float
  const Model& quantized;      ///< the same with Q/DQ nodes, by quantize_static() or in another way
  const FusionGroups& groups;  ///< that are quantised in it
};

/// Both twins of every group read the float values; for each group there are two more outputs, float32
/// scalars.
struct NoiseModel {
  Model model;
  struct Outputs {
    std::string signal;  ///< Σ y², over all elements of the group's output y
    std::string noise;   ///< Σ (y_q − y)², y_q what the quantised twin makes of the same input
  };
  std::vector<Outputs> groups;  ///< in the order of TwinParts::groups
};
Result<NoiseModel> make_noise_model(const TwinParts& parts);

/// A further input, bool[number of groups], says for each group which twin the readers of its output see:
/// true the quantised one. All false it is the float model. All true it computes what the quantised one
/// does, up to rounding by kernels that fuse differently, except that nodes outside of all groups read the
/// float values behind nodes that only move them.
struct ToggledModel {
  Model model;
  std::string input;
};
Result<ToggledModel> make_toggled_model(const TwinParts& parts);

}  // namespace tarmac

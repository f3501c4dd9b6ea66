// What an engine is given: the model as bytes, with a name on every node so that times and errors can be
// traced back.
#pragma once

#include <map>
#include <string>

#include "graph/graph.h"

namespace tarmac {

/// Node::label() of every node, nested graphs and function bodies included, with its operator.
using NodeLabels = std::map<std::string, std::string, std::less<>>;

/// How a node is found from the values around it, for engines that name kernels after tensors.
struct NodeOrigins {
  std::map<std::string, std::string, std::less<>> producer;  ///< value → label of the node that makes it
  std::map<std::string, std::string, std::less<>>
      feeder;  ///< label → label of the node that makes its first input
};

struct EngineModel {
  std::string bytes;  ///< serialised ModelProto; weights are copied once, into here
  NodeLabels labels;
  NodeOrigins origins;
};

/// Errors: kResourceExhausted for models of 2 GiB and more.
Result<EngineModel> make_engine_model(const Model& model);

}  // namespace tarmac

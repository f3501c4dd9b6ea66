// Single nodes on an engine, in float32, for runs that round between nodes.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "graph/graph.h"
#include "targets/target.h"

namespace tarmac {

/// Compiles each kind of node once, with the engine's own rewriting off, and runs it; large tensors on all
/// cores. A node alone leaves an engine nothing to fuse and no cast to drop. 16-bit floats are computed in
/// float32, as the hardware's accumulators do. Model and target must outlive it.
class NodeRunner {
 public:
  NodeRunner(const Model& model, Target& engine) : model_(model), engine_(engine) {}

  /// Runs a node without nested graphs. `inputs` by slot, 16-bit floats given as float32, an empty tensor
  /// where one is left out. Outputs by slot, empty where left out; valid as long as they are held.
  Result<std::vector<Tensor>> run(const Node& node, std::span<const Tensor> inputs);

  /// Where the part gets a value from that it does not make itself.
  using Lookup = std::function<Result<Tensor>(const Value&)>;
  /// Runs a node as one piece with its nested graphs, and with the nodes that make the sequences and
  /// optionals it reads, since those do not pass between runs. Outputs that are no tensors come out empty.
  Result<std::vector<Tensor>> run_whole(const Node& node, const Lookup& lookup);

 private:
  struct Program {
    std::unique_ptr<Executable> executable;
    std::uint64_t kept_bytes = 0;  ///< about what its engine keeps allocated between runs
  };
  Result<Program*> program_for(const Node& node, std::span<const Tensor> inputs);
  Result<Program*> compile(const Model& part, bool large);
  Result<std::vector<Tensor>> execute(Program& program, const std::map<std::string, Tensor>& inputs,
                                      const Node& node, const std::vector<std::string>& names);
  void forget_if_large(std::uint64_t bytes);

  const Model& model_;
  Target& engine_;
  std::map<std::string, std::unique_ptr<Program>> programs_;                   ///< by the serialised part
  std::unordered_map<const Node*, std::pair<std::string, Program*>> by_node_;  ///< with its input types
  std::uint64_t kept_bytes_ = 0;
};

/// Anything but a tensor among what the node reads or makes.
bool handles_non_tensors(const Node& node);

}  // namespace tarmac

// Runs a model node by node and rounds every tensor to the type it is said to have. CPU engines compute
// float16 in float32 and hide its overflow; here 1000·1000/1000 in float16 is infinite, and 1e-8·1e-8 is 0.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "precision/node_runner.h"

namespace tarmac {

/// The types of the floats in a run. kFloat32 stands for "not rounded".
struct Typing {
  std::function<DType(const Value&)> value;               ///< as which a value is stored
  std::function<DType(const Node&, std::size_t)> reader;  ///< as which a node reads an input
  std::function<DType(std::size_t)> output;               ///< as which a model output leaves
};

/// The types that the model itself declares: each float16 or bfloat16 node computed in float32 on its rounded
/// inputs and rounded at its outputs.
Typing declared_types();

/// How the second run goes beside the reference.
enum class Comparing : std::uint8_t {
  kWholeRun,  ///< on its own results, so that errors add up
  kEachNode,  ///< each node on the reference's inputs, rounded: the node's own error
};

/// Sees a float tensor of the main graph or a nested one, in the reference run and in the other; equal
/// shapes.
using Observer = std::function<void(const Value&, const Tensor& reference, const Tensor& other)>;

/// One run or two side by side, on an engine that computes single nodes. What is not needed any more is
/// freed, so memory is that of the tensors alive at one node. If and Loop are walked; Scan, and nodes on
/// sequences and optionals, run as one piece and unrounded inside. Not thread-safe.
class RoundingExecutor {
 public:
  /// Model and engine must outlive it; local functions must be inlined, types inferred.
  RoundingExecutor(const Model& model, Target& engine);

  /// Runs with the types that the model declares. Outputs by name; those of 16 bits come as float32. Outputs
  /// that are no tensors are left out. Errors: kInvalidInput (a missing input), the engine's with the node.
  Result<std::map<std::string, Tensor>> run(const std::map<std::string, Tensor>& inputs);

  struct Pair {
    std::map<std::string, Tensor> reference;
    std::map<std::string, Tensor> other;
  };
  /// The reference with declared types, and beside it a run with `typing`. Nodes that neither round nor read
  /// anything different run once. Where control flow differs, the runs go their ways and nothing is observed.
  Result<Pair> run_pair(const std::map<std::string, Tensor>& inputs, const Typing& typing,
                        Comparing comparing, const Observer& observer);

 private:
  static constexpr std::size_t kLanes = 2;
  struct Entry {
    std::array<Tensor, kLanes> lanes;
    Tensor rounded;  ///< for readers of another type than the value's, made when first asked for
  };
  using Lanes = std::vector<std::size_t>;

  Status start(const std::map<std::string, Tensor>& inputs);
  Result<std::map<std::string, Tensor>> collect_outputs(std::size_t lane);
  Status run_graph(const Graph& graph, const Lanes& lanes);
  Status run_node(const Node& node, const Lanes& lanes);
  Status run_plain(const Node& node, const Lanes& lanes);
  Status run_whole(const Node& node, const Lanes& lanes);
  Status run_if(const Node& node, const Lanes& lanes);
  Status run_loop(const Node& node, const Lanes& lanes);
  void release_after(const Node& node);
  void plan_releases(const Graph& graph);

  /// The value as it is stored in the lane.
  Result<Tensor> get(const Value& value, std::size_t lane);
  /// The value as a reader of `type` sees it.
  Result<Tensor> get_as(const Value& value, std::size_t lane, DType type);
  Result<Tensor> constant_as(const Value& value, const Tensor& constant, DType type);
  /// Stores a result: rounds it to the lane's type.
  Status set(const Value& value, std::size_t lane, const Tensor& tensor);
  /// Compares what the lanes hold; with kEachNode the second then continues on the reference.
  Status observe(const Value& value, const Lanes& lanes);
  [[nodiscard]] bool active(const Value& value) const { return entries_.contains(&value); }

  const Model& model_;
  NodeRunner runner_;
  std::array<Typing, kLanes> typing_;
  Lanes lanes_;
  Comparing comparing_ = Comparing::kWholeRun;
  Observer observer_;
  std::unordered_map<const Value*, Entry> entries_;
  std::unordered_map<const Node*, std::vector<const Value*>> releases_;
  std::map<std::pair<const Value*, DType>, Tensor> constants_;  ///< converted weights
  std::uint64_t constant_bytes_ = 0;
};

}  // namespace tarmac

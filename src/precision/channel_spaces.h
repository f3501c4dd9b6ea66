// The channels of activations that can only be scaled together: what ReLU, pooling, residual additions,
// concatenations and the like tie, and what must keep its scale.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <vector>

#include "graph/graph.h"

namespace tarmac {

/// Classes of channels with one factor f > 0 each: v'[c] = f·v[c] for every channel c of every value in a
/// class keeps what the model computes, when weights that make such a channel are multiplied by f, and those
/// that read it are divided by f. Only of the main graph; types must be inferred.
class ChannelSpaces {
 public:
  explicit ChannelSpaces(const Graph& graph);

  /// The axis of `value` that counts channels; nullopt for a value without classes.
  [[nodiscard]] std::optional<std::size_t> axis(const Value* value) const;
  /// The class of each channel of `value`; empty for a value without classes, all of whose channels keep
  /// their scale.
  [[nodiscard]] std::vector<std::size_t> classes(const Value* value) const;
  /// Whether a factor other than 1 is allowed.
  [[nodiscard]] bool free(std::size_t space) const { return !fixed_[space]; }
  /// Classes are numbers below this; not every number is one.
  [[nodiscard]] std::size_t size() const { return parent_.size(); }
  /// Nodes that add a constant to channels with classes: Add, Sub. Their constant is scaled like a bias.
  [[nodiscard]] const std::vector<Node*>& constant_sums() const { return constant_sums_; }
  /// Nodes with weights that are scaled, on at least one side.
  [[nodiscard]] const std::vector<Node*>& weighted() const { return weighted_; }

 private:
  struct Channels {
    std::size_t axis = 1;
    std::size_t first = 0;
    std::size_t count = 0;
  };

  void find_axes();
  bool carry_axis(const Node& node);
  void number_channels();
  void number_channels(const Value* value);
  void visit(Node& node);
  void visit_weighted(Node& node);
  void visit_sum(Node& node);
  void visit_product(const Node& node);
  void visit_concat(const Node& node);
  void visit_split(const Node& node);
  void visit_slice(const Node& node);
  void visit_reshape(const Node& node);

  [[nodiscard]] const Channels* find(const Value* value) const;
  [[nodiscard]] std::size_t root(std::size_t channel) const;
  /// `count` channels of both, from these on.
  void tie(std::size_t a, std::size_t b, std::size_t count);
  /// All channels of both; keeps their scales where they are not as many, or along other axes.
  void tie(const Value* a, const Value* b);
  void fix(const Value* value);
  /// All inputs and outputs.
  void fix(const Node& node);

  const Graph& graph_;
  std::map<const Value*, std::size_t> axes_;
  std::map<const Value*, Channels> channels_;
  mutable std::vector<std::size_t> parent_;
  std::vector<bool> fixed_;  // of roots
  std::vector<Node*> constant_sums_;
  std::vector<Node*> weighted_;
};

}  // namespace tarmac

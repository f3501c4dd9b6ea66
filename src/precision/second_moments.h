// How the inputs of a node with stored weights vary together on real data: what an error of the weights
// costs.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "graph/graph.h"
#include "precision/weight_channels.h"

namespace tarmac {

/// Σ x·xᵀ and Σ x of the windows x that one output channel sees, in the order [inputs, kernel] of
/// WeightChannels, cut into blocks of whole input channels so that memory stays bounded: what lies outside
/// the blocks counts as zero.
class SecondMoments {
 public:
  /// nullopt for nodes other than Conv, Gemm and MatMul with a stored matrix, and for windows that are not
  /// known.
  static std::optional<SecondMoments> create(const Node& node);

  /// Adds windows of the node's input, `most` of those of each sample, evenly spread. `samples` of the first
  /// axis count. False where the tensor does not fit the weights.
  bool add(const Tensor& input, std::size_t samples, std::size_t most);

  struct Block {
    std::size_t first = 0;  ///< element of the window
    std::size_t size = 0;
    std::vector<float> products;  ///< Σ x·xᵀ, [size, size] of each group, one after the other
    std::vector<double> sums;     ///< Σ x, [size] of each group
  };
  [[nodiscard]] const std::vector<Block>& blocks() const { return blocks_; }
  [[nodiscard]] const WeightChannels& channels() const { return channels_; }
  /// Windows that were added.
  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] std::size_t bytes() const;

 private:
  struct Window {
    std::size_t size[2] = {1, 1};
    std::int64_t stride[2] = {1, 1};
    std::int64_t dilation[2] = {1, 1};
    std::int64_t pad[2] = {0, 0};      ///< before
    std::int64_t pad_end[2] = {0, 0};  ///< behind
  };
  SecondMoments(WeightChannels channels, const Window& window, bool rows);
  void add_maps(const Tensor& input, std::size_t samples, std::size_t most);
  void add_rows(const Tensor& input, std::size_t samples, std::size_t most);
  void flush();

  WeightChannels channels_;
  Window window_;
  bool rows_ = false;  ///< of a product; else windows of feature maps
  std::vector<Block> blocks_;
  std::vector<float> gathered_;  ///< windows of all groups, one after the other
  std::size_t waiting_ = 0;
  std::size_t count_ = 0;
};

}  // namespace tarmac

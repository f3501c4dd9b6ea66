#include "precision/weight_channels.h"

#include <algorithm>

#include "passes/rewrite.h"

namespace tarmac {

std::optional<WeightChannels> weight_channels(const Node& node) {
  const bool conv = node.is("Conv");
  const bool transposed = node.is("ConvTranspose");
  const bool gemm = node.is("Gemm");
  if (!conv && !transposed && !gemm && !node.is("MatMul")) return std::nullopt;
  const Tensor* weights = constant_of(node.input(1));
  if (weights == nullptr || weights->count() == 0 || weights->shape().size() < 2) return std::nullopt;
  const auto size = [&](std::size_t i) { return static_cast<std::size_t>(weights->shape()[i]); };
  WeightChannels found;
  if (!conv && !transposed) {
    if (weights->shape().size() != 2) return std::nullopt;
    if (gemm && node.attribute_or<std::int64_t>("transA", 0) != 0) return std::nullopt;
    found.inputs_first = !gemm || node.attribute_or<std::int64_t>("transB", 0) == 0;
    found.outputs = size(found.inputs_first ? 1 : 0);
    found.inputs = size(found.inputs_first ? 0 : 1);
    return found;
  }
  const std::int64_t group = node.attribute_or<std::int64_t>("group", 1);
  if (group < 1 || weights->shape()[0] % group != 0) return std::nullopt;
  found.groups = static_cast<std::size_t>(group);
  found.kernel = static_cast<std::size_t>(weights->count()) / (size(0) * size(1));
  found.inputs_first = transposed;
  found.outputs = conv ? size(0) / found.groups : size(1);
  found.inputs = conv ? size(1) : size(0) / found.groups;
  return found;
}

std::optional<std::size_t> activation_axis(const Node& node) {
  if (node.is("Conv") || node.is("ConvTranspose")) return 1;
  const auto rank = rank_of(node.input(0));
  if (!rank || *rank < 2) return std::nullopt;
  return *rank - 1;
}

}  // namespace tarmac

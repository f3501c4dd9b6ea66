#include "precision/stored_matrix.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "tensor/codec.h"
#include "tensor/transpose.h"

namespace tarmac {

// Below it a scale is no normal number; all its weights are zero to any precision that counts.
constexpr float kLeast = 1e-30F;

Status untranspose_weights(const std::vector<Node*>& nodes) {
  std::map<const Value*, Value*> matrices;
  for (Node* node : nodes) {
    if (!node->is("Gemm") || node->attribute_or<std::int64_t>("transB", 0) == 0) continue;
    Value* const old = node->input(1);
    Value*& matrix = matrices[old];
    if (matrix == nullptr) {
      TARMAC_TRY(Tensor tensor, transpose(*constant_of(old), std::array<std::int64_t, 2>{1, 0}));
      Graph& graph = node->graph();
      matrix = &graph.add_initializer(graph.fresh_name(old->name() + "_transposed"), std::move(tensor));
    }
    node->attributes.erase("transB");
    node->set_input(1, matrix);
  }
  return {};
}

Status check_finite(const std::vector<float>& weights, const std::string& name) {
  if (std::all_of(weights.begin(), weights.end(), [](float w) { return std::isfinite(w); })) return {};
  return make_error(ErrorCode::kInvalidInput, "a weight is NaN or infinite", name);
}

namespace {

/// `channel_of(i)`, below `channels`, says whose scale weight i has.
template <typename ChannelOf>
Result<Int8Matrix> round_channels(const Tensor& weights, std::size_t channels, int largest,
                                  const std::string& name, ChannelOf channel_of) {
  TARMAC_TRY(const std::vector<float> values, to_floats(weights));
  TARMAC_CHECK_OK(check_finite(values, name));
  Int8Matrix found;
  found.scales.assign(channels, 0.0F);
  for (std::size_t i = 0; i < values.size(); ++i) {
    float& scale = found.scales[channel_of(i)];
    scale = std::max(scale, std::fabs(values[i]));
  }
  for (float& scale : found.scales) scale = scale < kLeast ? 1.0F : scale / static_cast<float>(largest);
  std::vector<std::int8_t> integers(values.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    integers[i] = static_cast<std::int8_t>(std::nearbyint(values[i] / found.scales[channel_of(i)]));
  found.integers = Tensor::from(weights.shape(), integers);
  return found;
}

}  // namespace

Result<Int8Matrix> round_columns(const Tensor& matrix, int largest, const std::string& name) {
  const auto columns = static_cast<std::size_t>(matrix.shape()[1]);
  return round_channels(matrix, columns, largest, name, [columns](std::size_t i) { return i % columns; });
}

Result<Int8Matrix> round_filters(const Tensor& weights, int largest, const std::string& name) {
  const auto filters = static_cast<std::size_t>(weights.shape()[0]);
  const auto filter =
      std::max<std::size_t>(static_cast<std::size_t>(weights.count()) / std::max<std::size_t>(filters, 1), 1);
  return round_channels(weights, filters, largest, name, [filter](std::size_t i) { return i / filter; });
}

}  // namespace tarmac

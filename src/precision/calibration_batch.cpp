#include <algorithm>

#include "graph/model_io.h"
#include "passes/infer_shapes.h"
#include "precision/calibrate.h"

namespace tarmac {
namespace {

/// Bytes of a value at the sizes that are known; 0 where one is not.
std::size_t bytes_of(const Value& value) {
  const auto shape = value.type.static_shape();
  if (!shape) return 0;
  const auto bytes = size_bytes(value.type.dtype, *shape);
  return bytes ? *bytes : 0;
}

}  // namespace

std::size_t choose_calibration_batch(const Model& model, const std::vector<std::string>& values) {
  constexpr std::size_t kBytes = std::size_t{64} << 20U;
  constexpr std::size_t kMost = 32;
  constexpr std::size_t kReadAhead = 3;  // the reader holds two batches besides the one that runs
  Model single = clone_model(model);
  std::size_t bytes = 0;
  for (const Value* input : model.graph->inputs()) {
    if (input->initializer() != nullptr || !input->type.shape || input->type.shape->empty()) continue;
    Shape shape(input->type.shape->size(), kOpenSize);
    if (input->type.shape->front().known()) return 1;
    shape.front() = 1;
    if (!fix_input_shape(single, input->name(), shape)) return 1;
  }
  for (const Value* input : single.graph->inputs()) bytes += kReadAhead * bytes_of(*input);
  for (const std::string& name : values) {
    const Value* const value = single.graph->find(name);
    const std::size_t one = value == nullptr ? 0 : bytes_of(*value);
    if (one == 0) return 1;
    bytes += one;
  }
  return bytes == 0 ? 1 : std::clamp<std::size_t>(kBytes / bytes, 1, kMost);
}

}  // namespace tarmac

// A model for an engine in this process: its larger weights stay where they are.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace tarmac {

struct MemoryModel {
  std::string program;          ///< an ONNX file without them
  std::vector<Tensor> tensors;  ///< keep alive and in place until the engine has read the model
};

/// Tensors of `threshold_bytes` and more become external data at the location "*/_ORT_MEM_ADDR_/*", whose
/// offset is an address: what OpenVINO and ONNX Runtime read without copying a whole file first, and what is
/// refused in every model that is loaded. Errors: kResourceExhausted when what remains has 2 GiB.
Result<MemoryModel> refer_to_memory(const Model& model, std::size_t threshold_bytes);

struct NamedWeights {
  std::string program;             ///< an ONNX file without them
  std::vector<std::string> names;  ///< initializers of the main graph
  std::vector<Tensor> tensors;     ///< theirs, as MemoryModel::tensors
};

/// As refer_to_memory() for engines that are handed weights by name: initializers of the main graph for which
/// `takes` holds become external data at a location that does not exist; all else stays inside.
Result<NamedWeights> refer_by_name(const Model& model, std::size_t threshold_bytes,
                                   const std::function<bool(const Tensor&)>& takes);

}  // namespace tarmac

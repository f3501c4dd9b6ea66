// Where a run's time goes.
#pragma once

#include <cstdint>
#include <string>

namespace tarmac {

/// Time of one executed node in the latest run, by ONNX node name where the engine keeps it.
struct NodeTime {
  std::string node;
  std::string op_type;
  std::string kernel;  ///< the engine's own name of the implementation, e.g. "brgconv_avx512_vnni_int8"
  std::int64_t time_ns = 0;
  /// The engine put it in to change a tensor's memory layout or dtype; `node` is the one that it feeds.
  bool reorder = false;
};

}  // namespace tarmac

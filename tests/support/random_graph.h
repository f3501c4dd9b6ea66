// Random valid ONNX models for property tests: a seed gives the same model and inputs on every machine.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "graph/graph.h"

namespace tarmac::test {

struct RandomModel {
  Model model;
  std::map<std::string, Tensor> inputs;  ///< by name; of sizes that the model's constants fit
  std::string recipe;                    ///< what it was made of, for messages
};

/// A model of opset 11 to 23 with up to about 60 nodes: elementwise operators, convolutions with their
/// neighbours, products, reductions, what exporters decompose (LayerNorm, RMSNorm, GELU, SiLU, attention,
/// …) and forms that only look like it, chains of operators that move data, shape computation, constant
/// subgraphs, If, values with several readers, outputs that are read as well, open dimensions, half and
/// double precision. Conditioned so that rounding stays small: steps (comparison, Floor, Cast to integer)
/// apply to values that passes keep exactly only, and magnitudes are bounded.
RandomModel random_model(std::uint64_t seed);

}  // namespace tarmac::test

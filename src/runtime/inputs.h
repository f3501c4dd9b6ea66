// Made-up inputs, for timing and for comparing engines where there is no data.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>

#include "graph/graph.h"
#include "targets/target.h"
#include "tarmac/tensor.h"

namespace tarmac {

/// What made-up values lie in. Floats: first <= x < last; integers: first <= x <= last.
struct ValueRange {
  double first = 0;
  double last = 1;
};

/// Seeded and the same on every machine. Without `range` floats are uniform in [0, 1), uint8 in [0, 255],
/// int8 in [-128, 127], other integers 0 or 1 (valid as indices, lengths and masks alike), bool a coin's,
/// strings empty. Errors: kUnsupported (complex), kInvalidInput (shape), kResourceExhausted.
Result<Tensor> random_tensor(DType dtype, const Shape& shape, std::uint64_t seed,
                             const std::optional<ValueRange>& range = {});

/// Sizes for what a model's inputs leave open.
struct ShapeChoice {
  std::map<std::string, Shape> shapes;          ///< by input name
  std::map<std::string, std::int64_t> symbols;  ///< by symbol: "batch" → 8
};

/// The shape that each input gets: the chosen one; open sizes by symbol, a symbol that a chosen shape binds
/// having that size in every input, else 1. Errors: kNotFound (a chosen name is no input), kInvalidInput (a
/// chosen shape contradicts the type or another one; unknown rank and no shape chosen).
Result<std::map<std::string, Shape>> resolve_shapes(std::span<const TensorInfo> inputs,
                                                    const ShapeChoice& choice);

/// random_tensor() for each input, by name; each with a seed of its own. `ranges` by input name.
Result<std::map<std::string, Tensor>> random_inputs(std::span<const TensorInfo> inputs,
                                                    const ShapeChoice& choice, std::uint64_t seed,
                                                    const std::map<std::string, ValueRange>& ranges = {});

/// For integer inputs that pick rows of something whose size is known (Gather, GatherElements, OneHot):
/// the indices that all of it has. Inputs are followed through what keeps their numbers (Cast, Reshape, …).
std::map<std::string, ValueRange> index_ranges(const Model& model);

/// Binds each tensor to the input of its name.
Status bind_inputs(Context& context, const std::map<std::string, Tensor>& tensors);

}  // namespace tarmac

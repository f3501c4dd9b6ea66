// Types and shapes of every value, by onnx's own inference with data propagation.
#pragma once

#include <map>
#include <string>

#include "graph/graph.h"

namespace tarmac {

/// Fills in what can be known: dtype, rank and sizes of inner values and model outputs, in nested graphs too.
/// Symbols that say less than an inferred size are replaced. Values of operators that onnx does not know stay
/// as they are. Errors: kInvalidModel when declared and inferred types contradict each other.
Status infer_shapes(Model& model);

/// A size that fix_input_shape() leaves as it is.
inline constexpr std::int64_t kOpenSize = -1;

/// Gives a model input a concrete shape, or some sizes of one (kOpenSize elsewhere), e.g. for a fixed
/// profile; symbols with the same name follow in the other inputs. Types of inner values are cleared and
/// inferred again. Errors: kNotFound, kInvalidInput (rank, fixed sizes).
Status fix_input_shape(Model& model, const std::string& input, const Shape& shape);

}  // namespace tarmac

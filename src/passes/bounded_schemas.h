// onnx's operator schemas, with a bound on what their data propagation takes apart.
#pragma once

#include <onnx/defs/schema.h>

#include <cstdint>

namespace tarmac {

/// onnx's data propagation makes a message for each element of a vector that it meets: a model of a few bytes
/// with a vector of 10¹² elements takes all memory there is. Here it passes over inputs of more elements than
/// a shape has.
const onnx::ISchemaRegistry& bounded_schemas();

inline constexpr std::int64_t kMaxPropagatedElements = 1024;

}  // namespace tarmac

// The canonical text of an input's preprocessing.
#pragma once

#include <string>

#include "tarmac/contract.h"

namespace tarmac {

/// "decode RGB; resize 64x64 linear stretch; normalize scale 0.5 mean 0 0 0 std 1 1 1; float32 NCHW": every
/// setting that decides the result, sizes as height x width, numbers exact. Names, batch sizes and symbols
/// are not part of it.
std::string describe_preprocess(const InputSpec& input);

/// "[batch, 3, 96, 48]"
std::string describe_shape(const std::vector<InputDim>& shape);

}  // namespace tarmac

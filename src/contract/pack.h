// The last step of preprocessing in one pass: normalise, convert and lay out 8-bit pixels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "contract/picture.h"
#include "tarmac/contract.h"
#include "tarmac/tensor.h"

namespace tarmac {

/// For each channel and each of the 256 values a byte has, the element it becomes.
struct PackTable {
  DType dtype = DType::kFloat32;
  int channels = 0;
  std::vector<std::byte> elements;  ///< channels × 256, of `dtype`
};

/// Element = (x * scale - mean[c]) / std[c], evaluated in double and rounded once to `dtype`, half to even;
/// integers saturate. `dtype` is float32, float16, uint8 or int8.
PackTable make_pack_table(DType dtype, const NormalizeStep& normalize);

/// `pixels` have one channel or three. Writes height × width × table.channels elements to `out`, which is
/// aligned for them. `reverse` reads the channels of a pixel from last to first (BGR becomes RGB).
void pack(const PictureView& pixels, const PackTable& table, Layout layout, bool reverse, std::byte* out);

}  // namespace tarmac

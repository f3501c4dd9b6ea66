// What torchvision.ops.deform_conv2d (torchvision 0.20.1) gives.
#pragma once

#include <vector>

#include "tarmac/tensor.h"

namespace tarmac::test {

/// Input i of a tensor, in the order of memory, is ((7 i) mod m - (m - 1) / 2 rounded down) / s; m and s are
/// 11 and 4 for X, 17 and 8 for W, 13 and 5 for the offsets, 19 and 10 for the mask, 5 and 2 for the bias.
/// Strides, pads and dilations are the same in both directions.
struct DeformConvNumbers {
  Shape x;
  Shape w;
  std::int64_t stride;
  std::int64_t pad;
  std::int64_t dilation;
  std::int64_t group;
  std::int64_t offset_group;
  bool mask;
  bool bias;
  std::vector<float> y;
};

// clang-format off
inline const std::vector<DeformConvNumbers> kDeformConvNumbers = {
    {{1, 2, 3, 4}, {2, 2, 3, 3}, 1, 1, 1, 1, 1, false, false, {-0.325F, 0.6937498F, 0.65875F, -0.12875F, -0.05250001F, 0.57625F, 1.14125F, 1.1525F, 0.18625F, 1.775F, -0.2F, 0.09249994F, -0.84625F, -0.2324999F, -0.8624999F, 0.1350001F, 0.2400001F, -1.2175F, -0.1424998F, -1.22625F, 0.03000006F, 0.45F, -0.635F, 0.1075F}},
    {{1, 2, 3, 4}, {2, 2, 3, 3}, 1, 1, 1, 1, 1, true, true, {-1.544375F, -0.809F, -1.53325F, -1.566F, -0.8845F, -2.082F, -1.0935F, -0.3865001F, -0.6636251F, -1.00525F, -1.50525F, -1.377375F, -0.5822499F, -0.716875F, -0.06337494F, 0.35625F, -0.7835F, 0.1415F, -0.4063751F, -0.115375F, 0.24225F, -0.9174999F, 0.016875F, -0.334F}},
    {{1, 4, 5, 5}, {4, 2, 3, 3}, 2, 2, 2, 2, 2, true, false, {0.164F, -0.31475F, -0.3978748F, 0.130375F, 0.07174981F, 0.414F, 0.8115001F, -0.2488751F, 0.8724998F, -0.349875F, 0.05175002F, 0.4844998F, 0.33925F, -0.1525F, -0.2363751F, -0.13F, 1.104F, -0.7279999F, -0.01387499F, -0.123F, 0.14025F, -0.37975F, 0.3035001F, -0.00387508F, 0.01250001F, 0.1826248F, -0.195125F, 0.041375F, 0.513375F, -0.08F, 0.317625F, -0.6178751F, 0.5751251F, -0.04750002F, -0.6337498F, -0.02999994F}},
    {{2, 2, 4, 3}, {1, 2, 2, 2}, 1, 0, 1, 1, 2, false, true, {-1.24125F, -0.7275F, -0.135F, -1.09375F, -1.38875F, -0.13625F, -0.9349999F, -1.0725F, -1.18125F, -1.2625F, -1.5075F, -1.215F}},
};
// clang-format on

}  // namespace tarmac::test

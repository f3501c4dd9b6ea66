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
    {{1, 2, 3, 4}, {2, 2, 3, 3}, 1, 1, 1, 1, 1, false, false, {-0.325, 0.6937498, 0.65875, -0.12875, -0.05250001, 0.57625, 1.14125, 1.1525, 0.18625, 1.775, -0.2, 0.09249994, -0.84625, -0.2324999, -0.8624999, 0.1350001, 0.2400001, -1.2175, -0.1424998, -1.22625, 0.03000006, 0.45, -0.635, 0.1075}},
    {{1, 2, 3, 4}, {2, 2, 3, 3}, 1, 1, 1, 1, 1, true, true, {-1.544375, -0.809, -1.53325, -1.566, -0.8845, -2.082, -1.0935, -0.3865001, -0.6636251, -1.00525, -1.50525, -1.377375, -0.5822499, -0.716875, -0.06337494, 0.35625, -0.7835, 0.1415, -0.4063751, -0.115375, 0.24225, -0.9174999, 0.016875, -0.334}},
    {{1, 4, 5, 5}, {4, 2, 3, 3}, 2, 2, 2, 2, 2, true, false, {0.164, -0.31475, -0.3978748, 0.130375, 0.07174981, 0.414, 0.8115001, -0.2488751, 0.8724998, -0.349875, 0.05175002, 0.4844998, 0.33925, -0.1525, -0.2363751, -0.13, 1.104, -0.7279999, -0.01387499, -0.123, 0.14025, -0.37975, 0.3035001, -0.00387508, 0.01250001, 0.1826248, -0.195125, 0.041375, 0.513375, -0.08, 0.317625, -0.6178751, 0.5751251, -0.04750002, -0.6337498, -0.02999994}},
    {{2, 2, 4, 3}, {1, 2, 2, 2}, 1, 0, 1, 1, 2, false, true, {-1.24125, -0.7275, -0.135, -1.09375, -1.38875, -0.13625, -0.9349999, -1.0725, -1.18125, -1.2625, -1.5075, -1.215}},
};
// clang-format on

}  // namespace tarmac::test

// What torch.nn.functional.grid_sample (PyTorch 2.5.1) gives.
#pragma once

#include <vector>

namespace tarmac::test {

struct GridSampleNumbers {
  int rank;
  const char* mode;
  const char* padding;
  int align_corners;
  std::vector<float> y;
};

/// X[i] = ((7 i) mod m - (m - 1) / 2) / 2 in the order of memory: rank 4 has X [1, 2, 3, 4] with m = 11 and
/// the grid [1, 2, 3, 2] below, rank 5 X [1, 1, 2, 3, 4] with m = 13 and the grid [1, 1, 1, 3, 3].
inline const std::vector<float> kFlatGrid = {-1,    -1,   0.3F,  -0.45F, 0.9F, 1.1F,
                                             -1.6F, 0.2F, 2.75F, -3.1F,  0,    1};
inline const std::vector<float> kDeepGrid = {-0.2F, 0.35F, 0.6F, 1.2F, -0.7F, -1.4F, 0.55F, 1.9F, -0.1F};

// clang-format off
inline const std::vector<GridSampleNumbers> kGridSampleNumbers = {
    {4, "linear", "zeros", 0, {-0.625F, 0.1462499F, -0.6125003F, 0, 0, 0.25F, 0.25F, 1.4875F, 0.2450001F, 0, 0, -0.75F}},
    {4, "linear", "zeros", 1, {-2.5F, 0.59875F, -1.98F, -1.117587e-08F, 0, 0.5F, 1, 1.10125F, 0.4274997F, -0.08999996F, 0, -1.5F}},
    {4, "linear", "border", 0, {-2.5F, 0.1462499F, -2.5F, -0.2500002F, 2.5F, 0.5F, 1, 1.4875F, 1, -0.5999998F, 0.5F, -1.5F}},
    {4, "linear", "border", 1, {-2.5F, 0.59875F, -2.2F, -1.192093e-07F, 2.5F, 0.5F, 1, 1.10125F, 0.4749997F, -0.8999999F, 0.5F, -1.5F}},
    {4, "linear", "reflection", 0, {-2.5F, 0.1462499F, -2.5F, -0.4949999F, -2, 0.5F, 1, 1.4875F, 1, 0.695F, 1.5F, -1.5F}},
    {4, "linear", "reflection", 1, {-2.5F, 0.59875F, -1.95F, -0.8099998F, -0.6437501F, 0.5F, 1, 1.10125F, 0.2574999F, 1.26F, 0.6562501F, -1.5F}},
    {4, "nearest", "zeros", 0, {-2.5F, -1, 0, 0, 0, -0.5F, 1, 2.5F, 0, 0, 0, -2.5F}},
    {4, "nearest", "zeros", 1, {-2.5F, 2, -2.5F, 0, 0, -0.5F, 1, 0, 1, 0, 0, -2.5F}},
    {4, "nearest", "border", 0, {-2.5F, -1, -2.5F, 0.5F, 2.5F, -0.5F, 1, 2.5F, 1, -1.5F, 0.5F, -2.5F}},
    {4, "nearest", "border", 1, {-2.5F, 2, -2.5F, 0.5F, 2.5F, -0.5F, 1, 0, 1, -1.5F, 0.5F, -2.5F}},
    {4, "nearest", "reflection", 0, {-2.5F, -1, -2.5F, -1.5F, -2, -0.5F, 1, 2.5F, 1, 2, 1.5F, -2.5F}},
    {4, "nearest", "reflection", 1, {-2.5F, 2, -2.5F, -1.5F, -2, -0.5F, 1, 0, 1, 2, 1.5F, -2.5F}},
    {4, "cubic", "zeros", 0, {-0.9780273F, 0.1205335F, -0.781176F, -0.001830904F, 0, 0.5795898F, 0.5092773F, 2.072054F, 0.5339044F, 0.0410012F, 0, -1.338867F}},
    {4, "cubic", "zeros", 1, {-2.5F, 0.7586133F, -2.442453F, 0.03456308F, 0, 1.015625F, 1, 1.639699F, 0.7104201F, -0.1167631F, 0, -2.015625F}},
    {4, "cubic", "border", 0, {-3.157715F, 0.1987207F, -2.869797F, 0.1332508F, 2.5F, 1.087402F, 1.470215F, 1.7915F, 1.601243F, -0.9386259F, 0.4999999F, -2.34668F}},
    {4, "cubic", "border", 1, {-2.5F, 0.8449507F, -2.429979F, 0.3585292F, 2.5F, 1.015625F, 1, 1.437008F, 0.6639914F, -1.232655F, 0.5F, -2.015625F}},
    {4, "cubic", "reflection", 0, {-3.912109F, 0.1987207F, -3.241563F, -0.9231211F, -2.426563F, 1.15918F, 2.037109F, 1.7915F, 2.210929F, 1.203049F, 2.011875F, -2.677734F}},
    {4, "cubic", "reflection", 1, {-2.5F, 0.5976875F, -2.395693F, -1.191141F, -0.9668065F, 1.015625F, 1, 1.626957F, 0.7331566F, 1.681716F, 1.091257F, -2.015625F}},
    {5, "linear", "zeros", 0, {-1.0125F, 0.009499994F, 0}},
    {5, "linear", "zeros", 1, {-0.5099998F, 0.7279998F, 0.1036874F}},
    {5, "linear", "border", 0, {-1.125F, 1, 1.24F}},
    {5, "linear", "border", 1, {-0.5099998F, 1.3F, 1.036875F}},
    {5, "linear", "reflection", 0, {-1.125F, 1, 0.3899996F}},
    {5, "linear", "reflection", 1, {-0.5099998F, -0.06000035F, 0.1368748F}},
    {5, "nearest", "zeros", 0, {-1, 0, 0}},
    {5, "nearest", "zeros", 1, {-2, 1, 0}},
    {5, "nearest", "border", 0, {-1, 1, 3}},
    {5, "nearest", "border", 1, {-2, 1, -0.5F}},
    {5, "nearest", "reflection", 0, {-1, 1, 2}},
    {5, "nearest", "reflection", 1, {-2, 1, -1.5F}},
};
// clang-format on

}  // namespace tarmac::test

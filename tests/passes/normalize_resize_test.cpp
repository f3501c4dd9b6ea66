#include "passes/fusion_harness.h"

namespace tarmac::test {
namespace {

class NormalizeResize : public FusionTest {};

TEST_F(NormalizeResize, MakesScalesOfComputedMultiples) {
  expect_fused("normalize_resize", opset17(R"(g (float[N,3,H,W] x) => (float[N,3,A,B] y)
    <int64[1] zero = {0}, int64[1] two = {2}, int64[1] four = {4}, int64[2] twice = {2, 2}> {
    s = Shape (x)
    front = Slice (s, zero, two)
    hw = Slice (s, two, four)
    large = Mul (hw, twice)
    sizes = Concat <axis = 0> (front, large)
    y = Resize <mode = "linear"> (x, , , sizes)
  })"),
               opset17(R"(g (float[N,3,H,W] x) => (float[N,3,A,B] y) <float[4] scales = {1, 1, 2, 2}> {
    y = Resize <mode = "linear"> (x, , scales)
  })"));
}

TEST_F(NormalizeResize, LeavesSizesOfAnotherTensor) {
  expect_left("normalize_resize", opset17(R"(g (float[N,3,H,W] x, float[N,3,P,Q] z) => (float[N,3,P,Q] y) {
    sizes = Shape (z)
    y = Resize <mode = "linear"> (x, , , sizes)
  })"));
}

TEST_F(NormalizeResize, DropsInputsWithoutEffect) {
  expect_fused("normalize_resize", opset17(R"(g (float[1,1,2,2] x) => (float[1,1,3,3] y)
    <float[0] none = {}, int64[4] sizes = {1, 1, 3, 3}> {
    y = Resize <mode = "linear"> (x, none, none, sizes)
  })"),
               opset17(R"(g (float[1,1,2,2] x) => (float[1,1,3,3] y) <int64[4] sizes = {1, 1, 3, 3}> {
    y = Resize <mode = "linear"> (x, , , sizes)
  })"));
}

TEST_F(NormalizeResize, KeepsInputsThatVersion11Demands) {
  expect_left("normalize_resize", opset(11, R"(g (float[1,1,2,2] x) => (float[1,1,3,3] y)
    <float[0] none = {}, int64[4] sizes = {1, 1, 3, 3}> {
    y = Resize <mode = "linear"> (x, none, none, sizes)
  })"));
}

TEST_F(NormalizeResize, KeepsTheRegionThatIsCropped) {
  expect_left("normalize_resize", opset17(R"(g (float[1,1,4,4] x) => (float[1,1,4,4] y)
    <float[8] roi = {0,0,0.25,0.25,1,1,0.75,0.75}, float[4] scales = {1, 1, 1, 1}> {
    y = Resize <mode = "linear", coordinate_transformation_mode = "tf_crop_and_resize"> (x, roi, scales)
  })"));
}

TEST_F(NormalizeResize, RemovesAResizeToTheSameSize) {
  expect_fused("normalize_resize", opset17(R"(g (float[N,1,4,4] x) => (float[N,1,4,4] y)
    <float[4] ones = {1, 1, 1, 1}, int64[2] sizes = {4, 4}> {
    a = Resize <mode = "cubic"> (x, , ones)
    y = Relu (a)
  })"),
               opset17("g (float[N,1,4,4] x) => (float[N,1,4,4] y) { y = Relu (x) }"));
  expect_fused("normalize_resize",
               opset17(R"(g (float[1,1,4,4] x) => (float[1,1,4,4] y) <int64[4] sizes = {1, 1, 4, 4}> {
    a = Resize <mode = "linear", coordinate_transformation_mode = "align_corners"> (x, , , sizes)
    y = Relu (a)
  })"),
               opset17("g (float[1,1,4,4] x) => (float[1,1,4,4] y) { y = Relu (x) }"));
  expect_fused("normalize_resize",
               opset(9, R"(g (float[1,1,4,4] x) => (float[1,1,4,4] y) <float[4] ones = {1, 1, 1, 1}> {
    a = Upsample (x, ones)
    y = Relu (a)
  })"),
               opset(9, "g (float[1,1,4,4] x) => (float[1,1,4,4] y) { y = Relu (x) }"));
}

TEST_F(NormalizeResize, KeepsAScaleThatOnlyRoundsToTheSameSize) {
  expect_left("normalize_resize",
              opset17(R"(g (float[1,1,4,4] x) => (float[1,1,4,4] y) <float[4] scales = {1, 1, 1.2, 1.2}> {
    y = Resize <mode = "linear"> (x, , scales)
  })"));
}

TEST_F(NormalizeResize, NamesRepetition) {
  for (const int factor : {2, 3, 4}) {
    const std::string scale = std::to_string(factor);
    const std::string size = std::to_string(3 * factor);
    const std::string head = "g (float[1,1,3,3] x) => (float[1,1," + size + "," + size +
                             "] y) <float[4] scales = {1, 1, " + scale + ", " + scale + "}> { y = Resize ";
    expect_fused("normalize_resize", opset17(head + "(x, , scales) }"),
                 opset17(head + "<coordinate_transformation_mode = \"asymmetric\", nearest_mode = \"floor\"> "
                                "(x, , scales) }"));
  }
  const std::string head =
      "g (float[1,1,3,3] x) => (float[1,1,6,9] y) <int64[4] sizes = {1, 1, 6, 9}> { y = Resize ";
  expect_fused("normalize_resize", opset17(head + "<nearest_mode = \"round_prefer_ceil\"> (x, , , sizes) }"),
               opset17(head + "<coordinate_transformation_mode = \"asymmetric\", nearest_mode = \"floor\"> "
                              "(x, , , sizes) }"));
}

TEST_F(NormalizeResize, LeavesNearestNeighboursThatAreNoRepetition) {
  const std::string head = "g (float[1,1,4,4] x) => (float[1,1,A,B] y) <float[4] scales = {1, 1, ";
  expect_left("normalize_resize", opset17(head + "1.5, 1.5}> { y = Resize (x, , scales) }"));
  expect_left("normalize_resize", opset17(head + "0.5, 0.5}> { y = Resize (x, , scales) }"));
  expect_left("normalize_resize",
              opset17(head + "2, 2}> { y = Resize <nearest_mode = \"ceil\"> (x, , scales) }"));
  expect_left("normalize_resize",
              opset17(head + "2, 2}> { y = Resize <coordinate_transformation_mode = \"align_corners\"> (x, , "
                             "scales) }"));
}

}  // namespace
}  // namespace tarmac::test

#include "verify/corners.h"

#include "support/expect.h"

namespace tarmac {
namespace {

using test::expect_error;
using test::expect_ok;

TensorInfo info_of(const std::string& name, std::vector<Dim> dims) {
  return {name, Type::tensor(DType::kFloat32, std::optional(std::move(dims)))};
}

TEST(Corners, SizesOfOneSymbolMoveTogether) {
  const std::vector<TensorInfo> inputs = {info_of("a", {Dim::named("n"), Dim::of(3)}),
                                          info_of("b", {Dim::named("n"), Dim::named("m")})};
  const ShapeRanges profile = {{"a", {{1, 3}, {2, 3}, {4, 3}}}, {"b", {{1, 5}, {2, 5}, {4, 7}}}};
  const Corners found = expect_ok(profile_corners(inputs, {profile}));
  ASSERT_EQ(found.corners.size(), 6U);
  EXPECT_EQ(found.left_out, 0U);
  for (const Corner& corner : found.corners)
    EXPECT_EQ(corner.shapes.shapes.at("a")[0], corner.shapes.shapes.at("b")[0]) << corner.name;
  EXPECT_EQ(found.corners.back().name, "n=4, m=7");
}

TEST(Corners, TooManyCombinationsLeaveTheExtremes) {
  const std::vector<TensorInfo> inputs = {
      info_of("x", {Dim::named("a"), Dim::named("b"), Dim::named("c"), Dim::named("d")})};
  const ShapeRanges profile = {{"x", {{1, 1, 1, 1}, {2, 2, 2, 2}, {3, 3, 3, 3}}}};
  const Corners found = expect_ok(profile_corners(inputs, {profile}));
  ASSERT_EQ(found.corners.size(), 11U);  // three, and each of four sizes alone at two extremes
  EXPECT_EQ(found.left_out, 81U - 11U);
  EXPECT_EQ(found.corners[0].shapes.shapes.at("x"), (Shape{1, 1, 1, 1}));
  EXPECT_EQ(found.corners[2].shapes.shapes.at("x"), (Shape{3, 3, 3, 3}));
  EXPECT_EQ(found.corners[3].shapes.shapes.at("x"), (Shape{1, 2, 2, 2}));
}

TEST(Corners, SeveralProfilesAddUpWithoutRepetition) {
  const std::vector<TensorInfo> inputs = {info_of("x", {Dim{}, Dim::of(2)})};
  const ShapeRanges small = {{"x", {{1, 2}, {1, 2}, {4, 2}}}};
  const ShapeRanges large = {{"x", {{4, 2}, {8, 2}, {8, 2}}}};
  EXPECT_EQ(expect_ok(profile_corners(inputs, {small, large})).corners.size(), 3U);
  EXPECT_EQ(expect_ok(profile_corners(inputs, {small})).corners[1].name, "x[0]=4");
  expect_error(profile_corners(inputs, {{{"x", {{1}, {1}, {1}}}}}), ErrorCode::kInvalidInput, "'x'");
}

TEST(Corners, WithoutProfilesTheBatchVaries) {
  const std::vector<TensorInfo> fixed = {info_of("x", {Dim::of(1), Dim::of(2)})};
  EXPECT_EQ(default_corners(fixed, 64).size(), 1U);
  EXPECT_EQ(default_corners(fixed, 64)[0].name, "");
  EXPECT_FALSE(has_open_sizes(fixed));
  const std::vector<TensorInfo> open = {info_of("x", {Dim::named("n"), Dim::named("h")}),
                                        info_of("y", {Dim::of(3), Dim::named("n")})};
  EXPECT_TRUE(has_open_sizes(open));
  const auto corners = default_corners(open, 64);
  ASSERT_EQ(corners.size(), 3U);
  EXPECT_EQ(corners[2].shapes.shapes.at("x"), (Shape{5, 64}));
  EXPECT_EQ(corners[2].shapes.shapes.at("y"), (Shape{3, 5}));
}

}  // namespace
}  // namespace tarmac

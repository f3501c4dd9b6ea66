#include "runtime/inputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tensor/codec.h"

namespace tarmac {
namespace {

using testing::AllOf;
using testing::Each;
using testing::Ge;
using testing::HasSubstr;
using testing::Le;
using testing::Lt;

TensorInfo info_of(const std::string& name, std::vector<Dim> dims) {
  return {name, Type::tensor(DType::kFloat32, std::optional(std::move(dims)))};
}

TEST(RandomTensorTest, IsTheSameForTheSameSeedOnly) {
  const auto a = random_tensor(DType::kFloat32, {4, 5}, 7);
  EXPECT_TRUE(identical(*a, *random_tensor(DType::kFloat32, {4, 5}, 7)));
  EXPECT_FALSE(identical(*a, *random_tensor(DType::kFloat32, {4, 5}, 8)));
  // The values themselves: other standard libraries must draw the same.
  EXPECT_FLOAT_EQ(random_tensor(DType::kFloat32, {1}, 0)->data<float>()[0], 0.15979332F);
}

TEST(RandomTensorTest, StaysInTheRangeOfItsType) {
  for (const DType dtype : {DType::kFloat32, DType::kFloat16, DType::kBFloat16, DType::kFloat64}) {
    EXPECT_THAT(*to_doubles(*random_tensor(dtype, {1000}, 1)), Each(AllOf(Ge(0.0), Le(1.0))))
        << to_string(dtype);
  }
  for (const DType dtype : {DType::kInt64, DType::kInt32, DType::kBool, DType::kUint4, DType::kInt16}) {
    EXPECT_THAT(*to_doubles(*random_tensor(dtype, {1000}, 1)), Each(AllOf(Ge(0.0), Le(1.0))))
        << to_string(dtype);
  }
  const auto pixels = *to_doubles(*random_tensor(DType::kUint8, {5000}, 1));
  EXPECT_THAT(pixels, testing::Contains(0.0));
  EXPECT_THAT(pixels, testing::Contains(255.0));
  EXPECT_THAT(pixels, Each(Lt(256.0)));
  EXPECT_EQ(random_tensor(DType::kString, {3}, 1)->strings().size(), 3U);
  EXPECT_EQ(random_tensor(DType::kComplex64, {3}, 1).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(random_tensor(DType::kFloat32, {-3}, 1).error().code, ErrorCode::kInvalidInput);
}

TEST(RandomTensorTest, StaysInTheRangeThatIsAskedFor) {
  for (const DType dtype : {DType::kFloat32, DType::kFloat64, DType::kFloat16}) {
    const auto values = *to_doubles(*random_tensor(dtype, {1000}, 1, ValueRange{-4, 4}));
    EXPECT_THAT(values, Each(AllOf(Ge(-4.0), Le(4.0)))) << to_string(dtype);
    EXPECT_THAT(values, testing::Contains(Lt(-3.0))) << to_string(dtype);
  }
  const auto indices = *to_doubles(*random_tensor(DType::kInt64, {1000}, 1, ValueRange{0, 9}));
  EXPECT_THAT(indices, Each(AllOf(Ge(0.0), Le(9.0))));
  EXPECT_THAT(indices, testing::Contains(9.0));
}

TEST(ResolveShapesTest, GivesASymbolOneSizeInAllInputs) {
  const std::vector<TensorInfo> inputs{info_of("a", {Dim::named("batch"), Dim::of(3)}),
                                       info_of("b", {Dim::named("batch"), Dim::named("length"), Dim{}})};
  const auto by_default = resolve_shapes(inputs, {});
  EXPECT_EQ(by_default->at("a"), (Shape{1, 3}));
  EXPECT_EQ(by_default->at("b"), (Shape{1, 1, 1}));
  const auto by_shape = resolve_shapes(inputs, {.shapes = {{"b", {4, 5, 6}}}, .symbols = {}});
  EXPECT_EQ(by_shape->at("a"), (Shape{4, 3}));
  const auto by_symbol = resolve_shapes(inputs, {.shapes = {}, .symbols = {{"batch", 2}, {"length", 7}}});
  EXPECT_EQ(by_symbol->at("b"), (Shape{2, 7, 1}));
}

TEST(ResolveShapesTest, RefusesWhatDoesNotFit) {
  const std::vector<TensorInfo> inputs{info_of("a", {Dim::named("batch"), Dim::of(3)}),
                                       info_of("b", {Dim::named("batch")})};
  const auto error = [&](const ShapeChoice& choice) { return resolve_shapes(inputs, choice).error(); };
  EXPECT_EQ(error({.shapes = {{"c", {1}}}, .symbols = {}}).code, ErrorCode::kNotFound);
  EXPECT_EQ(error({.shapes = {{"a", {1, 4}}}, .symbols = {}}).code, ErrorCode::kInvalidInput);
  EXPECT_EQ(error({.shapes = {{"a", {1}}}, .symbols = {}}).code, ErrorCode::kInvalidInput);
  EXPECT_THAT(error({.shapes = {{"a", {2, 3}}, {"b", {4}}}, .symbols = {}}).message,
              HasSubstr("'batch' is 2"));
  const std::vector<TensorInfo> no_rank{{"r", Type::tensor(DType::kFloat32)}};
  EXPECT_EQ(resolve_shapes(no_rank, {}).error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(resolve_shapes(no_rank, {.shapes = {{"r", {2, 2}}}, .symbols = {}})->at("r"), (Shape{2, 2}));
}

}  // namespace
}  // namespace tarmac

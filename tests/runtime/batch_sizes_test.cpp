#include "runtime/batch_sizes.h"

#include <gtest/gtest.h>

#include "plan/tensor_spec.h"
#include "support/expect.h"

namespace tarmac {
namespace {

using test::expect_error;
using test::expect_ok;

using Dims = std::vector<TensorDim>;

TensorDim open(const char* name) { return std::string(name); }
TensorDim size(std::int64_t n) { return n; }

TensorSpec spec(const std::string& name, Dims dims, DType dtype = DType::kFloat32) {
  return {.name = name, .dtype = dtype, .shape = dims, .type = describe_tensor(dtype, dims)};
}

Result<std::int64_t> batch_of(const std::vector<TensorSpec>& inputs, const std::vector<TensorSpec>& outputs) {
  return fixed_batch(inputs, outputs);
}

NamedTensors item_of(const Shape& shape) { return {{"x", *Tensor::allocate(DType::kFloat32, shape)}}; }

/// A plan of one input "x" with ranges of its batch, its other size being 4, and buckets.
PlanInfo plan_of(const std::vector<std::pair<std::int64_t, std::int64_t>>& ranges,
                 const std::vector<std::int64_t>& ready = {}) {
  PlanInfo plan;
  for (const auto& [min, max] : ranges) {
    PlanProfile profile{.shapes = {{"x", {.min = {min, 4}, .opt = {max, 4}, .max = {max, 4}}}},
                        .buckets = {}};
    for (const std::int64_t batch : ready) profile.buckets.push_back({{"x", {batch, 4}}});
    plan.profiles.push_back(profile);
  }
  return plan;
}

TEST(FixedBatchTest, IsWhatTheInputsSay) {
  EXPECT_EQ(expect_ok(batch_of({spec("x", {open("n"), size(3)})}, {spec("y", {open("n")})})), 0);
  EXPECT_EQ(
      expect_ok(batch_of({spec("x", {size(8), size(3)}), spec("z", {open("n")})}, {spec("y", {size(8)})})),
      8);
}

TEST(FixedBatchTest, NamesTheTensorThatHasNone) {
  const auto x = spec("x", {open("n"), size(3)});
  expect_error(batch_of({x, spec("scale", {})}, {}), ErrorCode::kUsage, "input 'scale' (float32[])");
  expect_error(batch_of({x}, {spec("y", {size(5)})}), ErrorCode::kUsage, "output 'y' (float32[5])");
  expect_error(batch_of({spec("a", {size(2)}), spec("b", {size(3)})}, {}), ErrorCode::kUsage,
               "'a' (float32[2])");
  expect_error(batch_of({spec("s", {open("n")}, DType::kString)}, {}), ErrorCode::kUsage, "no whole bytes");
  expect_error(batch_of({x}, {spec("y", {open("n"), size(3)}, DType::kInt4)}), ErrorCode::kUsage, "'y'");
}

TEST(CheckItemTest, WantsEachInputOnceOfItsTypeAndWithAFirstAxisOfOne) {
  const std::vector<TensorSpec> inputs{spec("x", {open("n"), size(4)})};
  expect_ok(check_item(inputs, item_of({1, 4})));
  expect_error(check_item(inputs, item_of({2, 4})), ErrorCode::kInvalidInput, "float32[2, 4]");
  expect_error(check_item(inputs, item_of({1, 5})), ErrorCode::kInvalidInput, "'x' (float32[n, 4])");
  expect_error(check_item(inputs, item_of({1, 4, 1})), ErrorCode::kInvalidInput);
  expect_error(check_item(inputs, item_of({})), ErrorCode::kInvalidInput);
  expect_error(check_item(inputs, {}), ErrorCode::kInvalidInput, "lacks input 'x'");
  NamedTensors other = item_of({1, 4});
  other.emplace("z", other.at("x"));
  expect_error(check_item(inputs, other), ErrorCode::kNotFound, "no input 'z': the model has 'x'");
  expect_error(check_item(inputs, {{"x", Tensor::from(Shape{1, 4}, std::vector<std::int32_t>(4))}}),
               ErrorCode::kInvalidInput, "int32[1, 4]");
}

TEST(BatchSizesTest, AreAnyWithoutAPlanAndOneWhereTheModelFixesIt) {
  const auto any = expect_ok(BatchSizes::create(0, nullptr, item_of({1, 4})));
  EXPECT_EQ(any.most(32), 32);
  EXPECT_EQ(any.batch_for(5), 5);
  const auto eight = expect_ok(BatchSizes::create(8, nullptr, item_of({1, 4})));
  EXPECT_EQ(eight.most(32), 8);
  EXPECT_EQ(eight.batch_for(1), 8);
}

TEST(BatchSizesTest, AreThoseThatAProfileAdmits) {
  const PlanInfo plan = plan_of({{3, 4}, {8, 16}});
  const auto sizes = expect_ok(BatchSizes::create(0, &plan, item_of({1, 4})));
  EXPECT_EQ(sizes.most(32), 16);
  EXPECT_EQ(sizes.most(10), 10);
  EXPECT_EQ(sizes.batch_for(1), 3);
  EXPECT_EQ(sizes.batch_for(4), 4);
  EXPECT_EQ(sizes.batch_for(5), 8);
  EXPECT_EQ(sizes.batch_for(9), 9);
  expect_error(BatchSizes::create(0, &plan, item_of({1, 5})), ErrorCode::kOutOfRange, "[3, 4] to [4, 4]");
}

TEST(BatchSizesTest, AreTheReadyOnesWhereThereAreSome) {
  const PlanInfo plan = plan_of({{1, 16}}, {8, 1, 4});
  const auto sizes = expect_ok(BatchSizes::create(0, &plan, item_of({1, 4})));
  EXPECT_EQ(sizes.most(32), 8);
  EXPECT_EQ(sizes.most(6), 6);
  EXPECT_EQ(sizes.batch_for(1), 1);
  EXPECT_EQ(sizes.batch_for(2), 4);
  EXPECT_EQ(sizes.batch_for(5), 8);
}

TEST(BatchSizesTest, IgnoreBucketsOfOtherShapes) {
  PlanInfo plan = plan_of({{1, 16}});
  plan.profiles[0].shapes["x"].max[1] = 6;
  plan.profiles[0].buckets = {{{"x", {8, 6}}}, {{"x", {2, 4}}}};
  EXPECT_EQ(expect_ok(BatchSizes::create(0, &plan, item_of({1, 6}))).batch_for(2), 8);
  EXPECT_EQ(expect_ok(BatchSizes::create(0, &plan, item_of({1, 4}))).batch_for(2), 2);
  EXPECT_EQ(expect_ok(BatchSizes::create(0, &plan, item_of({1, 5}))).batch_for(3), 3);
}

}  // namespace
}  // namespace tarmac

#include "tensor/movement.h"

#include "support/expect.h"

namespace tarmac::test {
namespace {

Tensor floats(const Shape& shape) {
  std::vector<float> values(static_cast<std::size_t>(expect_ok(element_count(shape))));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  return Tensor::from(shape, values);
}

std::vector<float> values(const Tensor& tensor) {
  return {tensor.data<float>().begin(), tensor.data<float>().end()};
}

TEST(Concatenate, JoinsAlongAnyAxis) {
  const Tensor a = floats({2, 2});
  const Tensor b = floats({2, 1});
  EXPECT_EQ(values(expect_ok(concatenate({a, b}, -1))), (std::vector<float>{0, 1, 0, 2, 3, 1}));
  EXPECT_EQ(values(expect_ok(concatenate({a, a}, 0))), (std::vector<float>{0, 1, 2, 3, 0, 1, 2, 3}));
  EXPECT_EQ(expect_ok(concatenate({a, floats({2, 0})}, 1)).shape(), (Shape{2, 2}));
  EXPECT_EQ(expect_ok(concatenate({floats({0, 2}), floats({0, 2})}, 0)).shape(), (Shape{0, 2}));
}

TEST(Concatenate, RefusesWhatDoesNotFit) {
  EXPECT_EQ(concatenate({floats({2, 2}), floats({3, 1})}, 1).error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(concatenate({floats({2, 2}), floats({2})}, 0).error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(concatenate({floats({2})}, 1).error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(concatenate({}, 0).error().code, ErrorCode::kInvalidInput);
}

TEST(Gather, ReplacesTheAxisByTheIndicesShape) {
  const Tensor table = floats({3, 2});
  const Tensor indices = Tensor::from<std::int64_t>({2, 2}, std::vector<std::int64_t>{2, 0, -1, 1});
  const Tensor rows = expect_ok(gather(table, indices, 0));
  EXPECT_EQ(rows.shape(), (Shape{2, 2, 2}));
  EXPECT_EQ(values(rows), (std::vector<float>{4, 5, 0, 1, 4, 5, 2, 3}));
  const Tensor column =
      expect_ok(gather(table, Tensor::from<std::int32_t>({}, std::vector<std::int32_t>{1}), 1));
  EXPECT_EQ(column.shape(), (Shape{3}));
  EXPECT_EQ(values(column), (std::vector<float>{1, 3, 5}));
}

TEST(Gather, RefusesIndicesOutOfRange) {
  const Tensor indices = Tensor::from<std::int64_t>({1}, std::vector<std::int64_t>{3});
  EXPECT_EQ(gather(floats({3}), indices, 0).error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(gather(floats({}), indices, 0).error().code, ErrorCode::kInvalidInput);
}

TEST(Expand, BroadcastsBothWays) {
  EXPECT_EQ(values(expect_ok(expand(floats({2, 1}), {2, 3}))), (std::vector<float>{0, 0, 0, 1, 1, 1}));
  const Tensor both = expect_ok(expand(floats({1, 2}), {2, 2, 1}));
  EXPECT_EQ(both.shape(), (Shape{2, 2, 2}));
  EXPECT_EQ(values(both), (std::vector<float>{0, 1, 0, 1, 0, 1, 0, 1}));
  EXPECT_EQ(expect_ok(expand(floats({}), {0})).shape(), (Shape{0}));
  EXPECT_EQ(expand(floats({2}), {3}).error().code, ErrorCode::kInvalidInput);
}

}  // namespace
}  // namespace tarmac::test

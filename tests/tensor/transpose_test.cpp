#include "tensor/transpose.h"

#include <algorithm>
#include <numeric>

#include "support/expect.h"

namespace tarmac::test {
namespace {

/// Element by element, from the definition.
template <typename T>
std::vector<T> by_definition(const Tensor& tensor, const std::vector<std::int64_t>& perm) {
  const Shape& in = tensor.shape();
  Shape out;
  for (const auto axis : perm) out.push_back(in[static_cast<std::size_t>(axis)]);
  std::vector<T> result;
  for (std::int64_t flat = 0; flat < tensor.count(); ++flat) {
    std::vector<std::int64_t> source(in.size());
    std::int64_t rest = flat;
    for (std::size_t i = out.size(); i-- > 0;) {
      source[static_cast<std::size_t>(perm[i])] = rest % out[i];
      rest /= out[i];
    }
    std::int64_t offset = 0;
    for (std::size_t i = 0; i < in.size(); ++i) offset = offset * in[i] + source[i];
    result.push_back(tensor.data<T>()[static_cast<std::size_t>(offset)]);
  }
  return result;
}

template <typename T>
void expect_all_permutations(const Shape& shape) {
  std::vector<T> values(static_cast<std::size_t>(expect_ok(element_count(shape))));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(i);
  const Tensor tensor = Tensor::from(shape, values);
  std::vector<std::int64_t> perm(shape.size());
  std::iota(perm.begin(), perm.end(), 0);
  do {
    const Tensor result = expect_ok(transpose(tensor, perm));
    const auto found = result.data<T>();
    EXPECT_TRUE(std::ranges::equal(found, by_definition<T>(tensor, perm))) << to_string(perm);
    for (std::size_t i = 0; i < perm.size(); ++i)
      EXPECT_EQ(result.shape()[i], shape[static_cast<std::size_t>(perm[i])]);
  } while (std::next_permutation(perm.begin(), perm.end()));
}

TEST(Transpose, FollowsTheDefinitionForEveryPermutation) {
  expect_all_permutations<float>({2, 3, 4, 5});
  expect_all_permutations<std::int64_t>({3, 1, 4});
  expect_all_permutations<std::uint8_t>({70, 33});
  expect_all_permutations<std::uint16_t>({2, 1, 3, 1, 2});
  expect_all_permutations<double>({40, 2, 35});
}

TEST(Transpose, SharesTheBytesWhereTheirOrderStays) {
  const Tensor tensor = Tensor::from<float>({1, 3, 1}, std::vector<float>{1, 2, 3});
  const std::vector<std::int64_t> perm{1, 0, 2};
  EXPECT_EQ(expect_ok(transpose(tensor, perm)).bytes().data(), tensor.bytes().data());
}

TEST(Transpose, TakesEmptyTensorsAndScalars) {
  const std::vector<std::int64_t> perm{1, 0};
  EXPECT_EQ(expect_ok(transpose(Tensor::from<float>({0, 3}, std::vector<float>{}), perm)).shape(),
            (Shape{3, 0}));
  EXPECT_EQ(expect_ok(transpose(Tensor::from<float>({}, std::vector<float>{7}), {})).count(), 1);
}

TEST(Transpose, RefusesWhatIsNoPermutation) {
  const Tensor tensor = Tensor::from<float>({2, 2}, std::vector<float>{1, 2, 3, 4});
  for (const std::vector<std::int64_t>& perm :
       {std::vector<std::int64_t>{0}, {0, 0}, {0, 2}, {-1, 0}, {0, 1, 2}}) {
    EXPECT_EQ(transpose(tensor, perm).error().code, ErrorCode::kInvalidInput);
  }
}

}  // namespace
}  // namespace tarmac::test

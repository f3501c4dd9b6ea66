#include "tarmac/tensor.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace tarmac {
namespace {

constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();

TEST(Shape, CountsElements) {
  EXPECT_EQ(*element_count({}), 1);
  EXPECT_EQ(*element_count({2, 3, 4}), 24);
  EXPECT_EQ(*element_count({2, 0, 4}), 0);
  EXPECT_EQ(*element_count({kHuge}), kHuge);
  EXPECT_EQ(to_string(Shape{1, 3, 224}), "[1, 3, 224]");
  EXPECT_EQ(to_string(Shape{}), "[]");
}

TEST(Shape, OverflowAndNegativeSizesAreErrors) {
  EXPECT_EQ(element_count({-1}).error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(element_count({kHuge, 2}).error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(element_count({1LL << 32, 1LL << 31}).error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(size_bytes(DType::kFloat64, {kHuge}).error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(size_bytes(DType::kComplex128, {1LL << 60}).error().code, ErrorCode::kInvalidInput);
}

TEST(Shape, PackedTypesRoundUpToBytes) {
  EXPECT_EQ(*size_bytes(DType::kInt4, {3}), 2U);
  EXPECT_EQ(*size_bytes(DType::kUint2, {5}), 2U);
  EXPECT_EQ(*size_bytes(DType::kUint2, {4}), 1U);
  EXPECT_EQ(*size_bytes(DType::kFloat16, {3}), 6U);
  EXPECT_EQ(*size_bytes(DType::kInt4, {0}), 0U);
}

TEST(DType, NamesRoundTrip) {
  for (int i = 1; i <= static_cast<int>(DType::kInt2); ++i) {
    const auto dtype = static_cast<DType>(i);
    EXPECT_EQ(dtype_from_string(to_string(dtype)), dtype) << to_string(dtype);
  }
  EXPECT_EQ(dtype_from_string("fp16"), DType::kFloat16);
  EXPECT_EQ(dtype_from_string("undefined"), DType::kUndefined);
  EXPECT_EQ(dtype_from_string("float33"), DType::kUndefined);
}

TEST(Tensor, AllocatesAlignedWritableMemory) {
  auto tensor = Tensor::allocate(DType::kFloat32, {2, 3});
  ASSERT_TRUE(tensor.ok());
  EXPECT_EQ(tensor->bytes().size(), 24U);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor->bytes().data()) % 64, 0U);
  tensor->mutable_data<float>()[5] = 7;
  EXPECT_EQ(tensor->data<float>()[5], 7);
}

TEST(Tensor, RefusesImpossibleSizes) {
  EXPECT_EQ(Tensor::allocate(DType::kFloat32, {-1}).error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(Tensor::allocate(DType::kFloat32, {kHuge, 4}).error().code, ErrorCode::kInvalidInput);
  EXPECT_FALSE(Tensor::allocate(DType::kUint8, {kHuge}).ok());
}

TEST(Tensor, AViewMustHaveTheSizeOfItsShape) {
  const std::vector<std::byte> bytes(12);
  EXPECT_TRUE(Tensor::view(DType::kFloat32, {3}, bytes, nullptr).ok());
  const auto bad = Tensor::view(DType::kFloat32, {4}, bytes, nullptr);
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.error().message, "a float32 tensor of shape [4] has 16 bytes, found 12");
}

TEST(Tensor, AViewKeepsItsOwnerAlive) {
  auto owner = std::make_shared<std::vector<std::int32_t>>(std::vector<std::int32_t>{1, 2, 3});
  const std::weak_ptr<void> watch = owner;
  auto view = Tensor::view(DType::kInt32, {3}, std::as_bytes(std::span(*owner)), owner);
  ASSERT_TRUE(view.ok());
  owner.reset();
  EXPECT_FALSE(watch.expired());
  EXPECT_EQ(view->data<std::int32_t>()[2], 3);
  EXPECT_FALSE(view->writable());
  *view = Tensor();
  EXPECT_TRUE(watch.expired());
}

TEST(Tensor, AMutableViewWritesThrough) {
  std::vector<float> memory(4, 0.0F);
  auto view = Tensor::mutable_view(DType::kFloat32, {4}, std::as_writable_bytes(std::span(memory)), nullptr);
  ASSERT_TRUE(view.ok());
  view->mutable_data<float>()[1] = 2.5F;
  EXPECT_EQ(memory[1], 2.5F);
}

TEST(Tensor, AlignedCopiesOnlyWhatIsNotAligned) {
  alignas(8) std::byte memory[17] = {};
  const float value = 1.5F;
  std::memcpy(memory + 1, &value, sizeof value);
  const auto unaligned = Tensor::view(DType::kFloat32, {1}, std::span(memory).subspan(1, 4), nullptr);
  const auto copy = unaligned->aligned();
  ASSERT_TRUE(copy.ok());
  EXPECT_NE(copy->bytes().data(), unaligned->bytes().data());
  EXPECT_EQ(copy->data<float>()[0], 1.5F);
  const auto fine = Tensor::view(DType::kFloat32, {1}, std::span(memory).subspan(4, 4), nullptr);
  EXPECT_EQ(fine->aligned()->bytes().data(), fine->bytes().data());
  const auto odd_bytes = Tensor::view(DType::kUint8, {4}, std::span(memory).subspan(1, 4), nullptr);
  EXPECT_EQ(odd_bytes->aligned()->bytes().data(), odd_bytes->bytes().data());
}

TEST(Tensor, CopiesShareBytesAndClonesDoNot) {
  Tensor original = Tensor::from<std::int64_t>({2}, {1, 2});
  const Tensor shared = original;
  const auto clone = original.clone();
  original.mutable_data<std::int64_t>()[0] = 9;
  EXPECT_EQ(shared.data<std::int64_t>()[0], 9);
  EXPECT_EQ(clone->data<std::int64_t>()[0], 1);
}

TEST(Tensor, ReshapeKeepsBytesAndCount) {
  const Tensor tensor = Tensor::from<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  const auto reshaped = tensor.reshaped({3, 2});
  ASSERT_TRUE(reshaped.ok());
  EXPECT_EQ(reshaped->shape(), (Shape{3, 2}));
  EXPECT_EQ(reshaped->bytes().data(), tensor.bytes().data());
  EXPECT_EQ(tensor.reshaped({4}).error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(tensor.reshaped({-6}).error().code, ErrorCode::kInvalidInput);
}

TEST(Tensor, HoldsStrings) {
  const auto tensor = Tensor::of_strings({2}, {"red", std::string("a\0b", 3)});
  ASSERT_TRUE(tensor.ok());
  EXPECT_EQ(tensor->strings()[1].size(), 3U);
  EXPECT_EQ(Tensor::of_strings({3}, {"red"}).error().code, ErrorCode::kInvalidInput);
  EXPECT_TRUE(identical(*tensor, *tensor->clone()));
}

TEST(Tensor, IdenticalComparesTypeShapeAndBits) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor a = Tensor::from<float>({2}, {nan, 1});
  EXPECT_TRUE(identical(a, Tensor::from<float>({2}, {nan, 1})));
  EXPECT_FALSE(identical(a, Tensor::from<float>({2, 1}, {nan, 1})));
  EXPECT_FALSE(identical(Tensor::from<float>({1}, {0.0F}), Tensor::from<float>({1}, {-0.0F})));
  EXPECT_FALSE(identical(Tensor::from<std::int32_t>({1}, {0}), Tensor::from<float>({1}, {0})));
  EXPECT_TRUE(identical(Tensor::from<float>({0}, std::vector<float>{}),
                        Tensor::from<float>({0}, std::vector<float>{})));
}

}  // namespace
}  // namespace tarmac

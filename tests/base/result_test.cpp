#include "tarmac/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <utility>

namespace tarmac {
namespace {

Result<int> half(int value) {
  if (value % 2 != 0) return make_error(ErrorCode::kInvalidInput, "expected an even number");
  return value / 2;
}

Result<int> quarter(int value) {
  TARMAC_TRY(const int once, half(value));
  TARMAC_TRY(const int twice, half(once));
  return twice;
}

Status require_even(int value) {
  TARMAC_CHECK_OK(half(value));
  return {};
}

TEST(Result, HoldsAValueOrAnError) {
  const Result<int> good = half(8);
  ASSERT_TRUE(good.ok());
  EXPECT_EQ(*good, 4);
  const Result<int> bad = half(7);
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.error().code, ErrorCode::kInvalidInput);
}

TEST(Result, TryReturnsTheFirstError) {
  EXPECT_EQ(*quarter(12), 3);
  EXPECT_FALSE(quarter(6).ok());
  EXPECT_TRUE(require_even(2).ok());
  EXPECT_EQ(require_even(3).error().message, "expected an even number");
}

TEST(Result, MovesValuesThatCannotBeCopied) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(5);
  const std::unique_ptr<int> taken = *std::move(result);
  EXPECT_EQ(*taken, 5);
}

TEST(Error, PrintsWhereWhatAndWhichNode) {
  EXPECT_EQ(make_error(ErrorCode::kIo, "disk full").str(), "disk full");
  EXPECT_EQ(make_error(ErrorCode::kInvalidModel, "no input", "conv1", "a.onnx").str(),
            "a.onnx: no input (node 'conv1')");
}

TEST(Error, EveryCodeHasItsOwnWordAndTheDocumentedExitStatus) {
  const std::pair<ErrorCode, int> expected[] = {
      {ErrorCode::kUsage, 2},        {ErrorCode::kUnsupported, 3},       {ErrorCode::kInvalidModel, 4},
      {ErrorCode::kInvalidInput, 4}, {ErrorCode::kNotFound, 4},          {ErrorCode::kIo, 4},
      {ErrorCode::kOutOfRange, 4},   {ErrorCode::kResourceExhausted, 4}, {ErrorCode::kMismatch, 4},
      {ErrorCode::kUnavailable, 3},  {ErrorCode::kAcceptance, 5},        {ErrorCode::kCancelled, 130},
      {ErrorCode::kInternal, 1}};
  std::set<std::string> words;
  for (const auto& [code, status] : expected) {
    EXPECT_EQ(exit_code(code), status) << to_string(code);
    words.insert(to_string(code));
  }
  EXPECT_EQ(words.size(), std::size(expected));
}

}  // namespace
}  // namespace tarmac

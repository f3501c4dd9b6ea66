// Expectations on Result: the value when there is one, the error's whole text when there should be none.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "tarmac/result.h"

namespace tarmac::test {

/// Where a helper was called from. std::source_location, which clang-tidy 14 cannot read with g++ 12's
/// library.
struct Location {
  const char* file;
  int line;
  static constexpr Location current(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
};

/// The value of `result`; an error ends the test as a failure at the caller's line, with the error's text.
template <typename T>
T expect_ok(Result<T> result, Location where = Location::current()) {
  if (!result) {
    const testing::TestPartResult failure(testing::TestPartResult::kFatalFailure, where.file, where.line,
                                          result.error().str().c_str());
    ADD_FAILURE_AT(where.file, failure.line_number()) << result.error().str();
    throw testing::AssertionException(failure);  // GoogleTest knows that this was reported
  }
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

/// `result` is an error with this code whose text (message, node and context) has `text` in it.
template <typename T>
void expect_error(const Result<T>& result, ErrorCode code, const std::string& text = {},
                  Location where = Location::current()) {
  const testing::ScopedTrace trace(where.file, where.line, "expect_error");
  if (result.ok()) {
    ADD_FAILURE() << "expected an error (" << to_string(code) << "), found success";
    return;
  }
  EXPECT_STREQ(to_string(result.error().code), to_string(code)) << result.error().str();
  EXPECT_THAT(result.error().str(), testing::HasSubstr(text));
}

}  // namespace tarmac::test

// Expectations on Result: the value when there is one, the error's whole text when there should be none.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <source_location>
#include <string>
#include <utility>

#include "tarmac/result.h"

namespace tarmac::test {

/// The value of `result`; an error ends the test as a failure at the caller's line, with the error's text.
template <typename T>
T expect_ok(Result<T> result, std::source_location where = std::source_location::current()) {
  if (!result) {
    const testing::TestPartResult failure(testing::TestPartResult::kFatalFailure, where.file_name(),
                                          static_cast<int>(where.line()), result.error().str().c_str());
    ADD_FAILURE_AT(where.file_name(), failure.line_number()) << result.error().str();
    throw testing::AssertionException(failure);  // GoogleTest knows that this was reported
  }
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

/// `result` is an error with this code whose text (message, node and context) has `text` in it.
template <typename T>
void expect_error(const Result<T>& result, ErrorCode code, const std::string& text = {},
                  std::source_location where = std::source_location::current()) {
  const testing::ScopedTrace trace(where.file_name(), static_cast<int>(where.line()), "expect_error");
  if (result.ok()) {
    ADD_FAILURE() << "expected an error (" << to_string(code) << "), found success";
    return;
  }
  EXPECT_STREQ(to_string(result.error().code), to_string(code)) << result.error().str();
  EXPECT_THAT(result.error().str(), testing::HasSubstr(text));
}

}  // namespace tarmac::test

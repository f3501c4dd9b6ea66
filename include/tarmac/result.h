// Errors as values. A function that can fail for a reason outside our code returns Result<T>; our own bugs
// assert.
#pragma once

#include <cassert>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace tarmac {

/// What the caller should do about an error; the command line maps each code to its exit status
/// (exit_code()).
enum class ErrorCode {
  kUsage,         ///< The request itself is wrong: fix the arguments. Exit 2.
  kUnsupported,   ///< Well-formed, but no engine or pass here can do it: follow the remedy in the message.
                  ///< Exit 3.
  kInvalidModel,  ///< The model or plan file is damaged or unsafe: get a good file. Exit 4.
  kInvalidInput,  ///< A value, tensor, picture or contract is wrong: correct it. Exit 4.
  kNotFound,      ///< A file, name or tensor does not exist: correct the name. Exit 4.
  kIo,            ///< Reading or writing failed (permission, disk full): repair the place, run again. Exit 4.
  kOutOfRange,    ///< A shape lies outside what was compiled: use an allowed one. Exit 4.
  kResourceExhausted,  ///< Memory or another limit was reached: give more or ask for less. Exit 4.
  kMismatch,           ///< Made for another machine, engine version or model: rebuild it here. Exit 4.
  kUnavailable,  ///< A library or device is missing on this machine: install it or choose another target.
                 ///< Exit 3.
  kAcceptance,   ///< Everything ran, but the contract's acceptance is not met. Exit 5.
  kDeadline,     ///< The result would have come too late: drop the frame. Exit 5.
  kCancelled,    ///< The user interrupted. Exit 130.
  kInternal,     ///< A bug of ours or of an engine: please report. Exit 1.
};

/// Stable lower-case word for a code, e.g. "invalid_model"; used in JSON output.
const char* to_string(ErrorCode code);

/// Process exit status for a code: 0 done, 2 usage, 3 unsupported, 4 bad input, 5 acceptance, 130
/// interrupted, 1 bug.
int exit_code(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;  ///< What was found, what was expected, and what to do.
  std::string node;     ///< ONNX node (or value) name the error is about; may be empty.
  std::string context;  ///< Where: file, file:line or stage; may be empty.

  /// "context: message (node 'n')", on one line.
  [[nodiscard]] std::string str() const;
};

/// Builds an Error; `message` must say what was found, expected and what to do.
[[nodiscard]] inline Error make_error(ErrorCode code, std::string message, std::string node = {},
                                      std::string context = {}) {
  return Error{code, std::move(message), std::move(node), std::move(context)};
}

/// Either a T or an Error. `*r` and `r->` assert that it holds a value.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value)
      : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT(google-explicit-constructor)
  Result(Error error)
      : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  [[nodiscard]] T& operator*() & { return (assert(ok()), *std::get_if<0>(&state_)); }
  [[nodiscard]] const T& operator*() const& { return (assert(ok()), *std::get_if<0>(&state_)); }
  [[nodiscard]] T&& operator*() && { return (assert(ok()), std::move(*std::get_if<0>(&state_))); }
  T* operator->() { return (assert(ok()), std::get_if<0>(&state_)); }
  const T* operator->() const { return (assert(ok()), std::get_if<0>(&state_)); }

  [[nodiscard]] Error& error() & { return (assert(!ok()), *std::get_if<1>(&state_)); }
  [[nodiscard]] const Error& error() const& { return (assert(!ok()), *std::get_if<1>(&state_)); }
  [[nodiscard]] Error&& error() && { return (assert(!ok()), std::move(*std::get_if<1>(&state_))); }

 private:
  std::variant<T, Error> state_;
};

/// Success or an Error. `return {};` means success.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  [[nodiscard]] Error& error() & { return (assert(!ok()), *error_); }
  [[nodiscard]] const Error& error() const& { return (assert(!ok()), *error_); }
  [[nodiscard]] Error&& error() && { return (assert(!ok()), std::move(*error_)); }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace tarmac

#define TARMAC_CONCAT_INNER(a, b) a##b
#define TARMAC_CONCAT(a, b) TARMAC_CONCAT_INNER(a, b)

/// TARMAC_TRY(auto value, fallible()); declares `value` or returns the error from the enclosing function.
#define TARMAC_TRY(declaration, expression)                                                                  \
  auto TARMAC_CONCAT(tarmac_try_, __LINE__) = (expression);                                                  \
  if (!TARMAC_CONCAT(tarmac_try_, __LINE__)) return std::move(TARMAC_CONCAT(tarmac_try_, __LINE__)).error(); \
  declaration = *std::move(TARMAC_CONCAT(tarmac_try_, __LINE__))

/// TARMAC_CHECK_OK(fallible()); returns the error from the enclosing function, otherwise goes on.
#define TARMAC_CHECK_OK(expression)                                                                 \
  do {                                                                                              \
    if (auto tarmac_status = (expression); !tarmac_status) return std::move(tarmac_status).error(); \
  } while (false)

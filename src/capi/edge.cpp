#include "capi/edge.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "tarmac/version.h"

namespace tarmac::capi {
namespace {

constexpr std::size_t kTextBytes = 1024;
thread_local std::array<char, kTextBytes> last_error{};

/// Adds text to a buffer as far as it fits, always with a zero at the end.
class Appender {
 public:
  Appender(char* text, std::size_t capacity) : text_(text), room_(capacity) {
    if (room_ > 0) *text_ = '\0';
  }
  Appender& operator<<(std::string_view more) {
    if (room_ == 0) return *this;
    const std::size_t count = std::min(more.size(), room_ - 1);
    std::memcpy(text_, more.data(), count);
    text_ += count;
    room_ -= count;
    *text_ = '\0';
    return *this;
  }

 private:
  char* text_;
  std::size_t room_;
};

}  // namespace

void write_error_text(const Error& error, char* text, std::size_t capacity) {
  Appender to(text, capacity);
  if (!error.context.empty()) to << error.context << ": ";
  to << error.message;
  if (!error.node.empty()) to << " (node '" << error.node << "')";
}

tarmac_code keep_error(const Error& error) {
  write_error_text(error, last_error.data(), last_error.size());
  return to_status(error.code);
}

tarmac_code keep_error(ErrorCode code, const char* message) {
  Appender(last_error.data(), last_error.size()) << message;
  return to_status(code);
}

Status need(const void* argument, const char* name) {
  if (argument != nullptr) return {};
  return make_error(ErrorCode::kUsage, std::string("the argument '") + name + "' is NULL");
}

tarmac_code to_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUsage:
      return TARMAC_USAGE;
    case ErrorCode::kUnsupported:
      return TARMAC_UNSUPPORTED;
    case ErrorCode::kInvalidModel:
      return TARMAC_INVALID_MODEL;
    case ErrorCode::kInvalidInput:
      return TARMAC_INVALID_INPUT;
    case ErrorCode::kNotFound:
      return TARMAC_NOT_FOUND;
    case ErrorCode::kIo:
      return TARMAC_IO;
    case ErrorCode::kOutOfRange:
      return TARMAC_OUT_OF_RANGE;
    case ErrorCode::kResourceExhausted:
      return TARMAC_RESOURCE_EXHAUSTED;
    case ErrorCode::kMismatch:
      return TARMAC_MISMATCH;
    case ErrorCode::kUnavailable:
      return TARMAC_UNAVAILABLE;
    case ErrorCode::kAcceptance:
      return TARMAC_ACCEPTANCE;
    case ErrorCode::kDeadline:
      return TARMAC_DEADLINE;
    case ErrorCode::kCancelled:
      return TARMAC_CANCELLED;
    case ErrorCode::kInternal:
      break;
  }
  return TARMAC_INTERNAL;
}

}  // namespace tarmac::capi

using tarmac::ErrorCode;

const char* tarmac_last_error(void) { return tarmac::capi::last_error.data(); }

const char* tarmac_version(void) { return tarmac::version(); }

const char* tarmac_code_name(tarmac_code status) {
  if (status == TARMAC_OK) return "ok";
  for (int code = 0; code <= static_cast<int>(ErrorCode::kInternal); ++code) {
    if (tarmac::capi::to_status(static_cast<ErrorCode>(code)) == status)
      return tarmac::to_string(static_cast<ErrorCode>(code));
  }
  return "unknown";
}

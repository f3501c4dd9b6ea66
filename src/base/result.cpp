#include "tarmac/result.h"

namespace tarmac {

const char* to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUsage:
      return "usage";
    case ErrorCode::kUnsupported:
      return "unsupported";
    case ErrorCode::kInvalidModel:
      return "invalid_model";
    case ErrorCode::kInvalidInput:
      return "invalid_input";
    case ErrorCode::kNotFound:
      return "not_found";
    case ErrorCode::kIo:
      return "io";
    case ErrorCode::kOutOfRange:
      return "out_of_range";
    case ErrorCode::kResourceExhausted:
      return "resource_exhausted";
    case ErrorCode::kMismatch:
      return "mismatch";
    case ErrorCode::kUnavailable:
      return "unavailable";
    case ErrorCode::kAcceptance:
      return "acceptance";
    case ErrorCode::kDeadline:
      return "deadline";
    case ErrorCode::kCancelled:
      return "cancelled";
    case ErrorCode::kInternal:
      return "internal";
  }
  return "internal";
}

int exit_code(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUsage:
      return 2;
    case ErrorCode::kUnsupported:
    case ErrorCode::kUnavailable:
      return 3;
    case ErrorCode::kInvalidModel:
    case ErrorCode::kInvalidInput:
    case ErrorCode::kNotFound:
    case ErrorCode::kIo:
    case ErrorCode::kOutOfRange:
    case ErrorCode::kResourceExhausted:
    case ErrorCode::kMismatch:
      return 4;
    case ErrorCode::kAcceptance:
    case ErrorCode::kDeadline:
      return 5;
    case ErrorCode::kCancelled:
      return 130;
    case ErrorCode::kInternal:
      return 1;
  }
  return 1;
}

std::string Error::str() const {
  std::string text;
  if (!context.empty()) text = context + ": ";
  text += message;
  if (!node.empty()) text += " (node '" + node + "')";
  return text;
}

}  // namespace tarmac

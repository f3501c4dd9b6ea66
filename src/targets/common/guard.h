// Engines throw; this turns every kind of exception into an Error at a target's edge.
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/edge.h"

namespace tarmac {

/// An engine's message without the engine's own source places and checks, cut to the lines that tell a user
/// something; the ONNX node's name goes to Error::node where the message holds one. `doing` says what was
/// tried.
Error engine_error(ErrorCode code, std::string_view doing, const std::string& engine_message);

/// Calls `body`, which returns a Result; what it throws comes out as an Error of `code`. Allocates nothing
/// unless `body` throws, and nothing where that was for want of memory.
template <typename Body>
std::invoke_result_t<Body> guarded(ErrorCode code, std::string_view doing, Body&& body) {
  try {
    return std::forward<Body>(body)();
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  } catch (const std::exception& error) {
    return engine_error(code, doing, error.what());
  } catch (...) {
    return engine_error(code, doing, {});
  }
}

}  // namespace tarmac

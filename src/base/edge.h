// Where exceptions for want of memory become errors.
#pragma once

#include <new>
#include <type_traits>
#include <utility>

#include "tarmac/result.h"

namespace tarmac {

/// What a public function says when there is no memory; short enough to need none itself.
inline Error out_of_memory() { return make_error(ErrorCode::kResourceExhausted, "out of memory"); }

/// Calls `body`, which returns a Result; std::bad_alloc comes out as out_of_memory().
template <typename Body>
std::invoke_result_t<Body> at_edge(Body&& body) {
  try {
    return std::forward<Body>(body)();
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  }
}

}  // namespace tarmac

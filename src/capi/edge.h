// What stands between C and the library: errors become numbers and a text, exceptions stop here.
#pragma once

#include <exception>
#include <new>

#include "tarmac/result.h"
#include "tarmac/tarmac_c.h"

namespace tarmac::capi {

tarmac_code to_status(ErrorCode code);

/// Keeps the text for tarmac_last_error() on this thread, cut to what fits. Allocates nothing.
tarmac_code keep_error(const Error& error);
tarmac_code keep_error(ErrorCode code, const char* message);

/// "context: message (node 'n')" of at most `capacity` bytes with the zero.
void write_error_text(const Error& error, char* text, std::size_t capacity);

/// The status of `body`, which returns a Status.
template <typename Body>
tarmac_code at_c_edge(const Body& body) {
  try {
    const Status status = body();
    return status ? TARMAC_OK : keep_error(status.error());
  } catch (const std::bad_alloc&) {
    return keep_error(ErrorCode::kResourceExhausted, "out of memory");
  } catch (const std::exception& exception) {
    return keep_error(ErrorCode::kInternal, exception.what());
  } catch (...) {
    return keep_error(ErrorCode::kInternal, "an exception of unknown type");
  }
}

/// kUsage naming the argument where it is null.
Status need(const void* argument, const char* name);

}  // namespace tarmac::capi

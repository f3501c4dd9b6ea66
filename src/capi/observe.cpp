// What a model did.
#include "capi/session_handle.h"

using namespace tarmac;        // NOLINT(google-build-using-namespace): what follows is C
using namespace tarmac::capi;  // NOLINT(google-build-using-namespace)

tarmac_code tarmac_metrics(const tarmac_session* session, const char* model, char* text, size_t capacity,
                           size_t* needed) {
  return at_c_edge([&]() -> Status {
    TARMAC_TRY(const SessionObject* object, find_session(session));
    TARMAC_CHECK_OK(need(model, "model"));
    TARMAC_CHECK_OK(need(needed, "needed"));
    if (capacity > 0) TARMAC_CHECK_OK(need(text, "text"));
    const std::string all = object->session.metrics().prometheus(model);
    *needed = all.size() + 1;
    if (text == nullptr) return {};
    if (capacity < *needed) {
      return make_error(ErrorCode::kOutOfRange, "found room for " + std::to_string(capacity) +
                                                    " bytes; the text takes " + std::to_string(*needed));
    }
    std::memcpy(text, all.c_str(), *needed);
    return {};
  });
}

tarmac_code tarmac_write_trace(const tarmac_session* session, const char* path) {
  return at_c_edge([&]() -> Status {
    TARMAC_TRY(const SessionObject* object, find_session(session));
    TARMAC_CHECK_OK(need(path, "path"));
    const Tracer* tracer = object->session.tracer();
    if (tracer == nullptr)
      return make_error(ErrorCode::kUsage, "nothing was recorded; open the session with options.trace = 1");
    return tracer->write_chrome_trace(path);
  });
}

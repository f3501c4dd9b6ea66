// Opening, binding and running.
#include <array>
#include <chrono>
#include <memory>

#include "capi/session_handle.h"

namespace tarmac::capi {
namespace {

constexpr std::size_t kFirstOptionsBytes =
    offsetof(tarmac_open_options, allow_fallback) + sizeof(tarmac_open_options::allow_fallback);

Result<SessionOptions> to_session_options(const tarmac_open_options* given) {
  tarmac_open_options options = TARMAC_OPEN_OPTIONS_INIT;
  TARMAC_CHECK_OK(read_options(given, kFirstOptionsBytes, options));
  SessionOptions to;
  to.target = text_or_empty(options.target);
  to.cores = options.cores;
  to.streams = options.streams;
  to.required_signer = text_or_empty(options.required_signer);
  to.strict = options.strict != 0;
  to.allow_fallback = options.allow_fallback != 0;
  if (options.provider_count > 0) TARMAC_CHECK_OK(need(options.providers, "options->providers"));
  for (std::size_t i = 0; i < options.provider_count; ++i) {
    TARMAC_CHECK_OK(need(options.providers[i], "options->providers[i]"));
    to.providers.emplace_back(options.providers[i]);
  }
  if (options.trace != 0) {
    TARMAC_TRY(to.tracer, Tracer::create());
  }
  return to;
}

Status give(Session session, tarmac_session** handle) {
  auto object = std::make_unique<SessionObject>(std::move(session));
  TARMAC_TRY(void* const made, handles().add(Kind::kSession, object.get()));
  static_cast<void>(object.release());
  *handle = static_cast<tarmac_session*>(made);
  return {};
}

Status copy_info(const TensorInfos& infos, std::size_t index, tarmac_tensor_info* info) {
  TARMAC_CHECK_OK(need(info, "info"));
  if (index >= infos.infos().size()) {
    return make_error(ErrorCode::kOutOfRange, "found the index " + std::to_string(index) + "; there are " +
                                                  std::to_string(infos.infos().size()));
  }
  *info = infos.infos()[index];
  return {};
}

Status bind(SessionObject& object, const char* name, const tarmac_tensor* tensor) {
  TARMAC_CHECK_OK(need(name, "name"));
  TARMAC_CHECK_OK(need(tensor, "tensor"));
  const auto bound = object.bound.find(name);
  if (bound != object.bound.end() && is_view_of(bound->second, *tensor))
    return object.session.set_input(bound->first, bound->second);
  TARMAC_TRY(Tensor view, to_tensor(tensor, false));
  auto& [key, kept] = entry_of(object.bound, name);
  TARMAC_CHECK_OK(object.session.set_input(key, view));
  kept = std::move(view);
  return {};
}

}  // namespace

Result<SessionObject*> find_session(const tarmac_session* handle) {
  auto* const object = static_cast<SessionObject*>(handles().find(Kind::kSession, handle));
  if (object != nullptr) return object;
  return make_error(ErrorCode::kUsage,
                    handle == nullptr ? "the session is NULL" : "this is no session, or one that was freed");
}

RunOptions run_options(std::int64_t timeout_ns) {
  RunOptions options;
  if (timeout_ns >= 0)
    options.deadline = std::chrono::steady_clock::now() + std::chrono::nanoseconds(timeout_ns);
  return options;
}

}  // namespace tarmac::capi

using namespace tarmac;        // NOLINT(google-build-using-namespace): what follows is C
using namespace tarmac::capi;  // NOLINT(google-build-using-namespace)

tarmac_code tarmac_open(const char* path, const tarmac_open_options* options, tarmac_session** session) {
  return at_c_edge([&]() -> Status {
    TARMAC_CHECK_OK(need(path, "path"));
    TARMAC_CHECK_OK(need(session, "session"));
    TARMAC_TRY(const SessionOptions chosen, to_session_options(options));
    TARMAC_TRY(Session opened, Session::open(path, chosen));
    return give(std::move(opened), session);
  });
}

tarmac_code tarmac_clone_context(tarmac_session* session, tarmac_session** clone) {
  return at_c_edge([&]() -> Status {
    TARMAC_CHECK_OK(need(clone, "clone"));
    TARMAC_TRY(const SessionObject* object, find_session(session));
    TARMAC_TRY(Session made, object->session.clone_context());
    return give(std::move(made), clone);
  });
}

tarmac_code tarmac_free_session(tarmac_session* session) {
  return at_c_edge([&]() -> Status {
    if (session == nullptr) return {};
    TARMAC_CHECK_OK(find_session(session));
    delete static_cast<SessionObject*>(handles().remove(Kind::kSession, session));
    return {};
  });
}

tarmac_code tarmac_input_count(const tarmac_session* session, size_t* count) {
  return at_c_edge([&]() -> Status {
    TARMAC_CHECK_OK(need(count, "count"));
    TARMAC_TRY(const SessionObject* object, find_session(session));
    *count = object->inputs.infos().size();
    return {};
  });
}

tarmac_code tarmac_output_count(const tarmac_session* session, size_t* count) {
  return at_c_edge([&]() -> Status {
    TARMAC_CHECK_OK(need(count, "count"));
    TARMAC_TRY(const SessionObject* object, find_session(session));
    *count = object->outputs.infos().size();
    return {};
  });
}

tarmac_code tarmac_input_info(const tarmac_session* session, size_t index, tarmac_tensor_info* info) {
  return at_c_edge([&]() -> Status {
    TARMAC_TRY(const SessionObject* object, find_session(session));
    return copy_info(object->inputs, index, info);
  });
}

tarmac_code tarmac_output_info(const tarmac_session* session, size_t index, tarmac_tensor_info* info) {
  return at_c_edge([&]() -> Status {
    TARMAC_TRY(const SessionObject* object, find_session(session));
    return copy_info(object->outputs, index, info);
  });
}

tarmac_code tarmac_engine_version(const tarmac_session* session, const char** version) {
  return at_c_edge([&]() -> Status {
    TARMAC_CHECK_OK(need(version, "version"));
    TARMAC_TRY(const SessionObject* object, find_session(session));
    *version = object->session.engine_version().c_str();
    return {};
  });
}

tarmac_code tarmac_set_input(tarmac_session* session, const char* name, const tarmac_tensor* tensor) {
  return at_c_edge([&]() -> Status {
    TARMAC_TRY(SessionObject* const object, find_session(session));
    return bind(*object, name, tensor);
  });
}

tarmac_code tarmac_set_output(tarmac_session* session, const char* name, const tarmac_tensor* tensor) {
  return at_c_edge([&]() -> Status {
    TARMAC_TRY(SessionObject* const object, find_session(session));
    TARMAC_CHECK_OK(need(name, "name"));
    TARMAC_TRY(const Tensor view, to_tensor(tensor, true));
    return object->session.set_output(name, view);
  });
}

tarmac_code tarmac_run(tarmac_session* session) {
  return at_c_edge([&]() -> Status {
    TARMAC_TRY(SessionObject* const object, find_session(session));
    return object->session.run();
  });
}

tarmac_code tarmac_run_within(tarmac_session* session, int64_t timeout_ns) {
  return at_c_edge([&]() -> Status {
    TARMAC_TRY(SessionObject* const object, find_session(session));
    if (timeout_ns < 0) return make_error(ErrorCode::kUsage, "found a timeout below 0");
    return object->session.run(run_options(timeout_ns));
  });
}

tarmac_code tarmac_run_async(tarmac_session* session, int64_t timeout_ns, tarmac_run_done done, void* user) {
  return at_c_edge([&]() -> Status {
    TARMAC_TRY(SessionObject* const object, find_session(session));
    TARMAC_CHECK_OK(need(reinterpret_cast<const void*>(done), "done"));
    // No larger than what std::function keeps without memory of its own.
    object->session.run_async(
        [done, user](const Status& status) {
          std::array<char, 1024> text{};
          if (!status) write_error_text(status.error(), text.data(), text.size());
          done(user, status ? TARMAC_OK : to_status(status.error().code), text.data());
        },
        run_options(timeout_ns));
    return {};
  });
}

tarmac_code tarmac_output(tarmac_session* session, const char* name, tarmac_tensor* tensor) {
  return at_c_edge([&]() -> Status {
    TARMAC_TRY(SessionObject* const object, find_session(session));
    TARMAC_CHECK_OK(need(name, "name"));
    TARMAC_CHECK_OK(need(tensor, "tensor"));
    auto& [key, result] = entry_of(object->results, name);
    TARMAC_CHECK_OK(object->session.read_output(key, result));
    if (bit_width(result.dtype()) == 0) {
      return make_error(
          ErrorCode::kUnsupported,
          std::string("the output holds ") + to_string(result.dtype()) + ", which is no plain memory", key);
    }
    *tensor = to_c(result);
    return {};
  });
}

tarmac_code tarmac_reset_scene(tarmac_session* session) {
  return at_c_edge([&]() -> Status {
    TARMAC_TRY(SessionObject* const object, find_session(session));
    object->session.reset_scene();
    return {};
  });
}

// Batches.
#include "tarmac/batcher.h"

#include <array>
#include <memory>

#include "capi/session_handle.h"

namespace tarmac::capi {
namespace {

constexpr std::size_t kFirstOptionsBytes =
    offsetof(tarmac_batcher_options, max_queue) + sizeof(tarmac_batcher_options::max_queue);

Result<BatcherOptions> to_batcher_options(const tarmac_batcher_options* given) {
  tarmac_batcher_options options = TARMAC_BATCHER_OPTIONS_INIT;
  TARMAC_CHECK_OK(read_options(given, kFirstOptionsBytes, options));
  BatcherOptions to;
  if (options.max_batch != 0) to.max_batch = options.max_batch;
  if (options.max_wait_ns != 0) to.max_wait = std::chrono::nanoseconds(options.max_wait_ns);
  if (options.contexts != 0) to.contexts = options.contexts;
  if (options.max_queue != 0) to.max_queue = options.max_queue;
  return to;
}

Result<Batcher*> find_batcher(const tarmac_batcher* handle) {
  auto* const object = static_cast<Batcher*>(handles().find(Kind::kBatcher, handle));
  if (object != nullptr) return object;
  return make_error(ErrorCode::kUsage,
                    handle == nullptr ? "the batcher is NULL" : "this is no batcher, or one that was freed");
}

/// Runs on a thread of the batcher, where no exception may leave.
void tell(tarmac_item_done done, void* user, const Batcher::Result& result) {
  std::array<char, 1024> text{};
  if (!result) {
    write_error_text(result.error(), text.data(), text.size());
    done(user, to_status(result.error().code), text.data(), nullptr);
    return;
  }
  void* outputs = nullptr;
  const tarmac_code status = at_c_edge([&]() -> Status {
    TARMAC_TRY(outputs, handles().add(Kind::kOutputs, const_cast<NamedTensors*>(&*result)));
    return {};
  });
  done(user, status, status == TARMAC_OK ? "" : tarmac_last_error(), static_cast<tarmac_outputs*>(outputs));
  if (outputs != nullptr) handles().remove(Kind::kOutputs, outputs);
}

}  // namespace
}  // namespace tarmac::capi

using namespace tarmac;        // NOLINT(google-build-using-namespace): what follows is C
using namespace tarmac::capi;  // NOLINT(google-build-using-namespace)

tarmac_code tarmac_create_batcher(tarmac_session* session, const tarmac_batcher_options* options,
                                  tarmac_batcher** batcher) {
  return at_c_edge([&]() -> Status {
    TARMAC_CHECK_OK(need(batcher, "batcher"));
    TARMAC_TRY(const SessionObject* object, find_session(session));
    TARMAC_TRY(const BatcherOptions chosen, to_batcher_options(options));
    TARMAC_TRY(Batcher made, Batcher::create(object->session, chosen));
    auto owned = std::make_unique<Batcher>(std::move(made));
    TARMAC_TRY(void* const handle, handles().add(Kind::kBatcher, owned.get()));
    static_cast<void>(owned.release());
    *batcher = static_cast<tarmac_batcher*>(handle);
    return {};
  });
}

tarmac_code tarmac_submit(tarmac_batcher* batcher, const char* const* names, const tarmac_tensor* inputs,
                          size_t count, int64_t timeout_ns, tarmac_item_done done, void* user) {
  return at_c_edge([&]() -> Status {
    TARMAC_TRY(Batcher* const object, find_batcher(batcher));
    TARMAC_CHECK_OK(need(reinterpret_cast<const void*>(done), "done"));
    if (count > 0) {
      TARMAC_CHECK_OK(need(names, "names"));
      TARMAC_CHECK_OK(need(inputs, "inputs"));
    }
    NamedTensors item;
    for (std::size_t i = 0; i < count; ++i) {
      TARMAC_CHECK_OK(need(names[i], "names[i]"));
      TARMAC_TRY(item[names[i]], to_tensor(&inputs[i], false));
    }
    object->submit(
        std::move(item), [done, user](const Batcher::Result& result) { tell(done, user, result); },
        run_options(timeout_ns));
    return {};
  });
}

tarmac_code tarmac_outputs_get(const tarmac_outputs* outputs, const char* name, tarmac_tensor* tensor) {
  return at_c_edge([&]() -> Status {
    TARMAC_CHECK_OK(need(name, "name"));
    TARMAC_CHECK_OK(need(tensor, "tensor"));
    const auto* const all = static_cast<const NamedTensors*>(handles().find(Kind::kOutputs, outputs));
    if (all == nullptr)
      return make_error(ErrorCode::kUsage, "these are no outputs, or those of a callback that has returned");
    const auto found = all->find(name);
    if (found == all->end())
      return make_error(ErrorCode::kNotFound, std::string("there is no output '") + name + "'", name);
    *tensor = to_c(found->second);
    return {};
  });
}

tarmac_code tarmac_free_batcher(tarmac_batcher* batcher) {
  return at_c_edge([&]() -> Status {
    if (batcher == nullptr) return {};
    TARMAC_CHECK_OK(find_batcher(batcher));
    delete static_cast<Batcher*>(handles().remove(Kind::kBatcher, batcher));
    return {};
  });
}

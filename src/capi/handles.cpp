#include "capi/handles.h"

namespace tarmac::capi {
namespace {

// From the lowest bit: the kind (3), the slot (13), the serial number (the rest).
constexpr unsigned kSlotShift = 3;
constexpr unsigned kSerialShift = 16;
static_assert(Handles::kSlots == std::size_t{1} << (kSerialShift - kSlotShift));

std::uintptr_t number_of(const void* handle) { return reinterpret_cast<std::uintptr_t>(handle); }

}  // namespace

Result<void*> Handles::add(Kind kind, void* object) {
  for (std::size_t tried = 0; tried < kSlots; ++tried) {
    const std::size_t index = next_.fetch_add(1, std::memory_order_relaxed) % kSlots;
    Slot& slot = slots_[index];
    if (slot.taken.exchange(true, std::memory_order_acquire)) continue;
    const std::uintptr_t handle = serial_.fetch_add(1, std::memory_order_relaxed) << kSerialShift |
                                  index << kSlotShift | static_cast<std::uintptr_t>(kind);
    slot.object.store(object, std::memory_order_relaxed);
    slot.handle.store(handle, std::memory_order_release);
    return reinterpret_cast<void*>(handle);  // NOLINT(performance-no-int-to-ptr): opaque by design
  }
  return make_error(ErrorCode::kResourceExhausted,
                    "found " + std::to_string(kSlots) + " handles in use, which is the limit; free some");
}

void* Handles::find(Kind kind, const void* handle) const {
  const std::uintptr_t number = number_of(handle);
  if (number == 0 || (number & 7U) != static_cast<std::uintptr_t>(kind)) return nullptr;
  const Slot& slot = slots_[slot_of(number)];
  if (slot.handle.load(std::memory_order_acquire) != number) return nullptr;
  return slot.object.load(std::memory_order_relaxed);
}

void* Handles::remove(Kind kind, const void* handle) {
  void* const object = find(kind, handle);
  if (object == nullptr) return nullptr;
  std::uintptr_t number = number_of(handle);
  Slot& slot = slots_[slot_of(number)];
  if (!slot.handle.compare_exchange_strong(number, 0, std::memory_order_acq_rel)) return nullptr;
  slot.taken.store(false, std::memory_order_release);
  return object;
}

Handles& handles() {
  static Handles all;
  return all;
}

}  // namespace tarmac::capi

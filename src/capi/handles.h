// Handles that can be told from anything else: an opaque pointer holds no address but a slot and a serial
// number, so a stale or made-up one is found out without touching the memory it points to.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "tarmac/result.h"

namespace tarmac::capi {

/// What kind of object a handle stands for; part of the handle.
enum class Kind : std::uint8_t { kSession = 1, kBatcher = 2, kOutputs = 3 };

/// At most kSlots handles at once. Finding one takes no lock.
class Handles {
 public:
  static constexpr std::size_t kSlots = 8192;

  /// kResourceExhausted when all are taken.
  Result<void*> add(Kind kind, void* object);
  /// The object, or null where this is no live handle of the kind.
  [[nodiscard]] void* find(Kind kind, const void* handle) const;
  /// As find(); the handle is none from now on. One caller gets the object.
  void* remove(Kind kind, const void* handle);

 private:
  /// `handle` is 0 while the slot is free or being filled.
  struct Slot {
    std::atomic<std::uintptr_t> handle{0};
    std::atomic<void*> object{nullptr};
    std::atomic<bool> taken{false};
  };
  static std::size_t slot_of(std::uintptr_t handle) { return handle >> 3U & (kSlots - 1); }

  std::array<Slot, kSlots> slots_;
  std::atomic<std::uintptr_t> serial_{1};
  std::atomic<std::size_t> next_{0};
};

/// Those of the process.
Handles& handles();

}  // namespace tarmac::capi

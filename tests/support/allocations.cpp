#include "support/allocations.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace tarmac::test {
namespace {

std::atomic<bool> counting{false};
std::atomic<std::uint64_t> ours{0};
std::atomic<std::uint64_t> engines{0};
std::atomic<std::int64_t> until_refused{-1};  // negative: none is
std::atomic<bool> was_reached{false};
std::vector<const char*> exempt_names;
thread_local bool looking = false;  // backtrace() itself may allocate

/// The file that holds an address; null where it is not known.
const char* module_of(void* address) {
  Dl_info info;
  return dladdr(address, &info) != 0 ? info.dli_fname : nullptr;
}

/// Whether the innermost frame outside the C and C++ libraries is this program's.
__attribute__((noinline)) bool asked_by_us() {
  constexpr int kFrames = 24;
  void* frames[kFrames];
  const int count = backtrace(frames, kFrames);
  const char* const program = module_of(reinterpret_cast<void*>(&module_of));
  for (int i = 3; i < count; ++i) {  // this function, seen() and the operator
    const char* const module = module_of(frames[i]);
    if (module == nullptr || std::strstr(module, "libstdc++") != nullptr ||
        std::strstr(module, "libc.so") != nullptr) {
      continue;
    }
    const bool is_ours = module == program || std::strcmp(module, program) == 0;
    if (is_ours && std::getenv("TARMAC_SHOW_ALLOCATIONS") != nullptr) {
      backtrace_symbols_fd(frames + i, std::min(count - i, 6), STDERR_FILENO);
    }
    return is_ours;
  }
  return true;
}

/// Whether a function is on the stack that has to do without failing.
__attribute__((noinline)) bool is_exempt() {
  constexpr int kFrames = 40;
  void* frames[kFrames];
  const int count = exempt_names.empty() ? 0 : backtrace(frames, kFrames);
  return std::any_of(frames, frames + count, [](void* frame) {
    Dl_info info;
    if (dladdr(frame, &info) == 0 || info.dli_sname == nullptr) return false;
    return std::any_of(exempt_names.begin(), exempt_names.end(),
                       [&](const char* name) { return std::strstr(info.dli_sname, name) != nullptr; });
  });
}

/// Whether an allocation may be had.
__attribute__((noinline)) bool seen() {
  if (looking) return true;
  if (until_refused.load(std::memory_order_relaxed) >= 0 &&
      until_refused.fetch_sub(1, std::memory_order_relaxed) == 0) {
    was_reached = true;
    looking = true;
    const bool allowed = is_exempt();
    looking = false;
    return allowed;
  }
  if (counting.load(std::memory_order_relaxed)) {
    looking = true;
    ++(asked_by_us() ? ours : engines);
    looking = false;
  }
  return true;
}

__attribute__((noinline)) void* get(std::size_t bytes) { return std::malloc(bytes == 0 ? 1 : bytes); }

void* get(std::size_t bytes, std::size_t alignment) {
  void* memory = nullptr;
  return posix_memalign(&memory, std::max(alignment, sizeof(void*)), bytes == 0 ? 1 : bytes) == 0 ? memory
                                                                                                  : nullptr;
}

void* need(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

CountAllocations::CountAllocations() {
  looking = true;
  void* frame = nullptr;
  backtrace(&frame, 1);  // loads its library
  looking = false;
  ours = 0;
  engines = 0;
  counting = true;
}
CountAllocations::~CountAllocations() { counting = false; }
AllocationCounts CountAllocations::counts() const { return {ours, engines}; }

RefuseAllocation::RefuseAllocation(std::uint64_t n, std::vector<const char*> exempt) {
  exempt_names = std::move(exempt);
  was_reached = false;
  until_refused = static_cast<std::int64_t>(n) - 1;
}
RefuseAllocation::~RefuseAllocation() { until_refused = -1; }
bool RefuseAllocation::reached() { return was_reached; }

}  // namespace tarmac::test

using tarmac::test::get;
using tarmac::test::need;
using tarmac::test::seen;

void* operator new(std::size_t bytes) { return need(seen() ? get(bytes) : nullptr); }
void* operator new[](std::size_t bytes) { return need(seen() ? get(bytes) : nullptr); }
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return seen() ? get(bytes) : nullptr;
}
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept {
  return seen() ? get(bytes) : nullptr;
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return need(seen() ? get(bytes, static_cast<std::size_t>(alignment)) : nullptr);
}
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
  return need(seen() ? get(bytes, static_cast<std::size_t>(alignment)) : nullptr);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

/// Tensors take their memory by this.
extern "C" void* aligned_alloc(std::size_t alignment, std::size_t bytes) noexcept {
  return seen() ? get(bytes, alignment) : nullptr;
}

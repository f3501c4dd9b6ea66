#include "cli/bench/allocations.h"

#include <dlfcn.h>
#include <execinfo.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

namespace tarmac::cli {
namespace {

constexpr int kCountedRuns = 10;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kCounts = false;
#else
constexpr bool kCounts = true;
#endif

std::atomic<bool> counting{false};
std::atomic<std::uint64_t> ours{0};
std::atomic<std::uint64_t> engines{0};

}  // namespace

Result<std::optional<RunAllocations>> count_allocations(Work& work) {
  if (!kCounts) return std::optional<RunAllocations>();
  void* frame = nullptr;
  backtrace(&frame, 1);  // the first call loads a library
  TARMAC_CHECK_OK(work.run());
  ours = 0;
  engines = 0;
  counting = true;
  Status status;
  for (int i = 0; i < kCountedRuns && status.ok(); ++i) status = work.run();
  counting = false;
  TARMAC_CHECK_OK(std::move(status));
  return std::optional(
      RunAllocations{static_cast<double>(ours) / kCountedRuns, static_cast<double>(engines) / kCountedRuns});
}

namespace {

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

/// The file that an address was loaded from; null where that is not known.
const char* module_of(void* address) {
  Dl_info info;
  return dladdr(address, &info) != 0 ? info.dli_fname : nullptr;
}

/// Whether the innermost caller outside the C and C++ libraries is this program. `caller` is where the
/// operator returns to; what lies further in is this file's own.
bool asked_by_us(const void* caller) {
  constexpr int kFrames = 20;
  void* frames[kFrames];
  const int count = backtrace(frames, kFrames);
  int i = 0;
  while (i < count && frames[i] != caller) ++i;
  const char* const program = module_of(reinterpret_cast<void*>(&module_of));
  for (; i < count; ++i) {
    const char* const module = module_of(frames[i]);
    if (module == nullptr || program == nullptr || std::strstr(module, "libstdc++") != nullptr ||
        std::strstr(module, "libc.so") != nullptr) {
      continue;
    }
    return std::strcmp(module, program) == 0;
  }
  return true;
}

void note_allocation(const void* caller) {
  thread_local bool looking = false;  // what looks may itself allocate
  if (looking) return;
  looking = true;
  ++(asked_by_us(caller) ? ours : engines);
  looking = false;
}

void* allocate(std::size_t bytes, std::size_t alignment, const void* caller) {
  if (counting.load(std::memory_order_relaxed)) note_allocation(caller);
  const std::size_t size = bytes == 0 ? 1 : bytes;
  while (true) {
    void* memory = nullptr;
    if (alignment <= alignof(std::max_align_t)) {
      memory = std::malloc(size);
    } else if (::posix_memalign(&memory, alignment, size) != 0) {
      memory = nullptr;
    }
    if (memory != nullptr) return memory;
    const std::new_handler handler = std::get_new_handler();
    if (handler == nullptr) throw std::bad_alloc();
    handler();
  }
}

#endif

}  // namespace
}  // namespace tarmac::cli

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

// These stand for the whole program, and cost one comparison while nothing is counted. The forms for arrays
// and without exceptions end here too.
void* operator new(std::size_t bytes) { return tarmac::cli::allocate(bytes, 0, __builtin_return_address(0)); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return tarmac::cli::allocate(bytes, static_cast<std::size_t>(alignment), __builtin_return_address(0));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*bytes*/) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t /*alignment*/) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*bytes*/, std::align_val_t /*alignment*/) noexcept {
  std::free(memory);
}

#endif

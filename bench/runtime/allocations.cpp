// Counts every allocation of the process: this program's malloc family stands before the C library's, for the
// engines too.
#include <malloc.h>

#include <cerrno>

#include "runtime/commands.h"

namespace {

std::atomic<bool> counting{false};
std::atomic<std::int64_t> allocations{0};
std::atomic<std::int64_t> allocated_bytes{0};

void count(std::size_t bytes) {
  if (!counting.load(std::memory_order_relaxed)) return;
  allocations.fetch_add(1, std::memory_order_relaxed);
  allocated_bytes.fetch_add(static_cast<std::int64_t>(bytes), std::memory_order_relaxed);
}

}  // namespace

// What glibc calls these functions under.
extern "C" {
void* __libc_malloc(std::size_t bytes);                           // NOLINT
void* __libc_calloc(std::size_t count, std::size_t bytes);        // NOLINT
void* __libc_realloc(void* memory, std::size_t bytes);            // NOLINT
void* __libc_memalign(std::size_t alignment, std::size_t bytes);  // NOLINT

void* malloc(std::size_t bytes) {  // NOLINT
  count(bytes);
  return __libc_malloc(bytes);
}
void* calloc(std::size_t number, std::size_t bytes) {  // NOLINT
  count(number * bytes);
  return __libc_calloc(number, bytes);
}
void* realloc(void* memory, std::size_t bytes) {  // NOLINT
  count(bytes);
  return __libc_realloc(memory, bytes);
}
void* memalign(std::size_t alignment, std::size_t bytes) {  // NOLINT
  count(bytes);
  return __libc_memalign(alignment, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {  // NOLINT
  count(bytes);
  return __libc_memalign(alignment, bytes);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t bytes) {  // NOLINT
  count(bytes);
  *memory = __libc_memalign(alignment, bytes);
  return *memory == nullptr ? ENOMEM : 0;
}
}

namespace tarmac::bench {
namespace {

template <typename Run>
Json per_run(int runs, const Run& run) {
  for (int i = 0; i < 20; ++i) run();  // engines grow what they keep in their first runs
  allocations = 0;
  allocated_bytes = 0;
  counting = true;
  for (int i = 0; i < runs; ++i) run();
  counting = false;
  return {{"allocations", static_cast<double>(allocations) / runs},
          {"bytes", static_cast<double>(allocated_bytes) / runs}};
}

}  // namespace

Json measure_allocations(const Json& spec) {
  const Setup setup = setup_of(spec.at("setup"));
  const auto runs = spec.at("runs").get<int>();
  const auto engine = load(setup);
  const auto request = engine->request(made_up_inputs(engine->inputs(), setup.batch));
  return {{"bound", per_run(runs, [&] { request->run(); })},
          {"frame", per_run(runs, [&] { request->run_frame(); })}};
}

}  // namespace tarmac::bench

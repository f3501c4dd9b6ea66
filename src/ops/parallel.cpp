#include "ops/parallel.h"

#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

namespace tarmac::ops {
namespace {

/// Tells ThreadSanitizer what oneTBB does with atomics in a library that it does not see into: what was done
/// before leave() comes before what is done after enter() of the same gate.
class Gate {
 public:
#ifdef __SANITIZE_THREAD__
  void leave() { __tsan_release(this); }
  void enter() { __tsan_acquire(this); }
#else
  void leave() {}
  void enter() {}
#endif
};

}  // namespace

int ArenaParallel::workers() const { return tbb::this_task_arena::max_concurrency(); }

void ArenaParallel::run(std::int64_t tasks, Task task, void* state) {
  // Isolated: a thread that waits here must not begin another kernel, which would share its scratch memory.
  Gate begin;
  Gate end;
  begin.leave();
  tbb::this_task_arena::isolate([&] {
    tbb::parallel_for(
        std::int64_t{0}, tasks,
        [&](std::int64_t i) {
          begin.enter();
          task(state, i);
          end.leave();
        },
        tbb::simple_partitioner());
  });
  end.enter();
}

}  // namespace tarmac::ops

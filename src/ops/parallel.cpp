#include "ops/parallel.h"

#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

namespace tarmac::ops {

int ArenaParallel::workers() const { return tbb::this_task_arena::max_concurrency(); }

void ArenaParallel::run(std::int64_t tasks, Task task, void* state) {
  // Isolated: a thread that waits here must not begin another kernel, which would share its scratch memory.
  tbb::this_task_arena::isolate([&] {
    tbb::parallel_for(
        std::int64_t{0}, tasks, [&](std::int64_t i) { task(state, i); }, tbb::simple_partitioner());
  });
}

}  // namespace tarmac::ops

// How kernels use more than one core: on the threads of whoever calls them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <type_traits>

namespace tarmac::ops {

class Parallel {
 public:
  virtual ~Parallel() = default;
  /// Threads that can work at once, the calling one included.
  [[nodiscard]] virtual int workers() const = 0;

  /// Calls `body(begin, end)` for disjoint ranges that cover [0, count), at once on several threads, and
  /// returns when all are done. A range has at least `grain` elements (the last may be shorter): choose it so
  /// that one takes some tens of microseconds. `body` must not throw.
  template <typename Body>
  void for_ranges(std::int64_t count, std::int64_t grain, Body&& body) {
    if (count <= 0) return;
    const std::int64_t most =
        (count + std::max<std::int64_t>(grain, 1) - 1) / std::max<std::int64_t>(grain, 1);
    const std::int64_t tasks = std::min<std::int64_t>(most, std::int64_t{workers()} * kRangesPerWorker);
    if (tasks <= 1 || workers() <= 1) {
      body(std::int64_t{0}, count);
      return;
    }
    struct State {
      std::remove_reference_t<Body>* body;
      std::int64_t count;
      std::int64_t tasks;
    } state{&body, count, tasks};
    run(
        tasks,
        [](void* opaque, std::int64_t task) {
          const auto& [work, total, parts] = *static_cast<State*>(opaque);
          (*work)(total * task / parts, total * (task + 1) / parts);
        },
        &state);
  }

 protected:
  using Task = void (*)(void* state, std::int64_t task);
  /// Calls `task(state, i)` once for each i in [0, tasks) and waits for all.
  virtual void run(std::int64_t tasks, Task task, void* state) = 0;

 private:
  static constexpr int kRangesPerWorker = 4;  // evens out ranges of unequal work and busy cores
};

/// Everything on the calling thread.
class Serial final : public Parallel {
 public:
  [[nodiscard]] int workers() const override { return 1; }

 protected:
  void run(std::int64_t tasks, Task task, void* state) override {
    for (std::int64_t i = 0; i < tasks; ++i) task(state, i);
  }
};

/// oneTBB's threads of the arena that the calling thread is in. Stateless.
class ArenaParallel final : public Parallel {
 public:
  [[nodiscard]] int workers() const override;

 protected:
  void run(std::int64_t tasks, Task task, void* state) override;
};

}  // namespace tarmac::ops

// Requests that come one at a time, run together.
//
//   auto batcher = tarmac::Batcher::create(*session, {.max_batch = 8});
//   if (!batcher) return fail(batcher.error().str());
//   auto result = batcher->submit({{"image", picture}});  // from any thread
//   auto outputs = result.get();
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>

#include "tarmac/memory_pool.h"
#include "tarmac/result.h"
#include "tarmac/session.h"

namespace tarmac {

struct BatcherOptions {
  std::int64_t max_batch = 8;
  /// How long an item may wait for others. One with a deadline waits for half of the time it has at most.
  std::chrono::nanoseconds max_wait = std::chrono::milliseconds(2);
  int contexts = 1;                     ///< batches at once, each on a thread and a session of its own
  std::size_t max_queue = 1024;         ///< items waiting; more are refused with kResourceExhausted
  std::optional<MemoryPool> results{};  ///< gives the memory of results; absent: the system does
};

/// Collects items into batches along the first axis and runs them on contexts of one model. Thread-safe.
///
/// Items whose shapes differ go into different batches. Where a plan makes batches ready for these shapes, a
/// batch is filled up to the next of them, else to the smallest that its profiles admit. A batch that fails
/// is repeated item by item, so that errors reach only those whose they are. Counts and spans go where those
/// of `model` go; putting together and taking apart allocates nothing but the results.
class Batcher {
 public:
  /// What an item's submitter is told.
  using Result = tarmac::Result<NamedTensors>;
  /// Called once, on a thread of the batcher or inside submit(). Must not throw nor end the batcher.
  using Done = std::function<void(Result)>;

  /// `model` gives the compiled model; it need not outlive the batcher. Errors: kUsage (a model whose batch
  /// is fixed to more than 1 and less than max_batch, without a batch axis, or that carries state; options
  /// below 1), kResourceExhausted, clone_context()'s.
  static tarmac::Result<Batcher> create(const Session& model, const BatcherOptions& options = {});

  Batcher(Batcher&&) noexcept;
  Batcher& operator=(Batcher&&) noexcept;
  /// Runs what has been submitted, without waiting for more.
  ~Batcher();

  /// One item, first axis 1 in each input; its bytes must stay as they are until the result is there. The
  /// result holds the outputs, copied, first axis 1. Errors, in the result: kNotFound and kInvalidInput (the
  /// item does not fit the model), kOutOfRange (nor the plan), kDeadline (late: before its batch began it is
  /// not run at all), kResourceExhausted (queue full, or memory), Session::run()'s.
  void submit(NamedTensors inputs, Done done, const RunOptions& options = {});
  /// The same with a future, which may outlive the batcher. Without memory for it, it is not valid().
  [[nodiscard]] std::future<Result> submit(NamedTensors inputs, const RunOptions& options = {});

 private:
  struct State;
  explicit Batcher(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tarmac

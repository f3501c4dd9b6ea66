#include "tarmac/batcher.h"

#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "base/edge.h"
#include "runtime/batch_queue.h"
#include "runtime/batch_stage.h"

namespace tarmac {
namespace {

using Clock = std::chrono::steady_clock;
using Items = BatchQueue::Items;

constexpr std::chrono::hours kLongestWait{24};  // what is longer could overflow the clock

/// Tells the submitter what `result` gives; without memory for that, so much.
template <typename Body>
void tell(const BatchItem& item, Body&& result) {
  item.done(at_edge([&]() -> Batcher::Result { return result(); }));
}

Error late_error() {
  return make_error(ErrorCode::kDeadline, "the result was wanted sooner than it could be there");
}

/// When a run is of no use to any of its items; absent where one has no deadline.
RunOptions options_of(const Items& items) {
  RunOptions options;
  for (const BatchItem& item : items) {
    if (!item.deadline) return {};
    options.deadline = options.deadline ? std::max(*options.deadline, *item.deadline) : *item.deadline;
  }
  return options;
}

/// An item of the sizes that the model tells; nothing where it leaves some of them open.
tarmac::Result<NamedTensors> item_of(std::span<const TensorSpec> inputs) {
  NamedTensors item;
  for (const TensorSpec& input : inputs) {
    if (!input.shape) return NamedTensors();
    Shape shape{1};
    for (const TensorDim& dim : std::span(*input.shape).subspan(1)) {
      const auto* size = std::get_if<std::int64_t>(&dim);
      if (size == nullptr) return NamedTensors();
      shape.push_back(*size);
    }
    TARMAC_TRY(item[input.name], Tensor::allocate(input.dtype, std::move(shape)));
  }
  return item;
}

/// A session with its memory, used by one thread.
struct Worker {
  explicit Worker(Session own) : session(std::move(own)), stage(session) {}

  Session session;
  BatchStage stage;
  std::vector<const NamedTensors*> inputs;
  std::thread thread;
};
using Workers = std::vector<std::unique_ptr<Worker>>;

/// Contexts with memory for the largest batch, where the model tells how large that is.
tarmac::Result<Workers> make_workers(const Session& model, const BatcherOptions& options,
                                     std::int64_t fixed) {
  TARMAC_TRY(const NamedTensors item, item_of(model.inputs()));
  std::int64_t largest = 0;
  if (!item.empty()) {
    TARMAC_TRY(const BatchSizes sizes, BatchSizes::create(fixed, model.plan(), item));
    largest = sizes.batch_for(sizes.most(options.max_batch));
  }
  Workers workers;
  for (int i = 0; i < options.contexts; ++i) {
    TARMAC_TRY(Session session, model.clone_context());
    workers.push_back(std::make_unique<Worker>(std::move(session)));
    workers.back()->inputs.reserve(static_cast<std::size_t>(options.max_batch));
    if (largest > 0) TARMAC_CHECK_OK(workers.back()->stage.reserve(item, largest));
  }
  return workers;
}

}  // namespace

struct Batcher::State {
  State(Workers made, const BatcherOptions& chosen, std::int64_t fixed)
      : workers(std::move(made)),
        options(chosen),
        metrics(model().metrics()),
        queue(chosen.max_batch, chosen.max_queue, fixed, model().plan()) {}
  ~State();

  /// For what all contexts share.
  [[nodiscard]] const Session& model() const { return workers.front()->session; }
  Status start();
  void serve(Worker& worker);
  void submit(BatchItem item);
  void run(Worker& worker, Items& items, std::int64_t batch);
  Status run_batch(Worker& worker, const Items& items, std::int64_t batch);
  void answer(Worker& worker, Items& items);
  void refuse_late(Items& items);

  Workers workers;
  BatcherOptions options;
  Metrics& metrics;

  std::mutex mutex;
  std::condition_variable changed;
  BatchQueue queue;
  bool stopping = false;
  std::uint64_t items_seen = 0;
  std::uint64_t batches_seen = 0;
};

Batcher::State::~State() {
  {
    const std::lock_guard lock(mutex);
    stopping = true;
  }
  changed.notify_all();
  for (const auto& worker : workers) {
    if (worker->thread.joinable()) worker->thread.join();
  }
}

Status Batcher::State::start() {
  try {
    for (const auto& worker : workers) {
      worker->thread = std::thread([this, &own = *worker] { serve(own); });
      ::pthread_setname_np(worker->thread.native_handle(), "tarmac-batch");
    }
    return {};
  } catch (const std::system_error& error) {
    return make_error(ErrorCode::kResourceExhausted, std::string("no thread for a batcher: ") + error.what());
  }
}

void Batcher::State::submit(BatchItem item) {
  Status status = at_edge([&] { return check_item(model().inputs(), item.inputs); });
  if (status) {
    item.submitted = Clock::now();
    Clock::duration patience = std::min<Clock::duration>(options.max_wait, kLongestWait);
    if (item.deadline) patience = std::min(patience, (*item.deadline - item.submitted) / 2);
    item.patient_until = item.submitted + patience;
    const std::lock_guard lock(mutex);
    item.number = items_seen++;
    status = queue.push(item);
    if (status) metrics.queued.fetch_add(1, std::memory_order_relaxed);
  }
  if (!status) {
    if (status.error().code == ErrorCode::kResourceExhausted)
      metrics.rejected.fetch_add(1, std::memory_order_relaxed);
    item.done(std::move(status.error()));
    return;
  }
  changed.notify_one();
}

void Batcher::State::serve(Worker& worker) {
  Items batch;
  Items late;
  std::unique_lock lock(mutex);
  while (true) {
    const auto due = queue.due();
    if (!due && stopping) return;
    if (!due) {
      changed.wait(lock);
      continue;
    }
    if (!stopping && *due > Clock::now()) {
      changed.wait_until(lock, *due);
      continue;
    }
    const std::int64_t size = queue.pop(Clock::now(), batch, late);
    const std::uint64_t number = batches_seen++;
    metrics.queued.fetch_sub(static_cast<std::int64_t>(batch.size() + late.size()),
                             std::memory_order_relaxed);
    // What is left may be due as well, and the thread that was told of it is this one.
    if (queue.size() > 0) changed.notify_one();
    lock.unlock();
    refuse_late(late);
    if (size > 0) {
      const Span span(worker.session.tracer(), "batch", number);
      run(worker, batch, size);
    }
    // Without the lock, since it may free the callers' tensors.
    for (Items* items : {&batch, &late}) std::fill(items->begin(), items->end(), BatchItem());
    lock.lock();
    queue.recycle(batch);
    queue.recycle(late);
  }
}

void Batcher::State::refuse_late(Items& items) {
  for (const BatchItem& item : items) {
    metrics.deadlines_missed.fetch_add(1, std::memory_order_relaxed);
    tell(item, late_error);
  }
}

void Batcher::State::run(Worker& worker, Items& items, std::int64_t batch) {
  const auto begin = Clock::now();
  for (const BatchItem& item : items) {
    metrics.queue_time.add(
        std::chrono::duration_cast<std::chrono::nanoseconds>(begin - item.submitted).count());
    if (worker.session.tracer() != nullptr)
      worker.session.tracer()->add("queue", item.submitted, begin, item.number);
  }
  metrics.batches.fetch_add(1, std::memory_order_relaxed);
  metrics.batched_items.fetch_add(items.size(), std::memory_order_relaxed);
  Status status = run_batch(worker, items, batch);
  if (status) {
    answer(worker, items);
  } else if (status.error().code == ErrorCode::kDeadline) {
    // run() counted one; each item is late.
    metrics.deadlines_missed.fetch_add(items.size() - 1, std::memory_order_relaxed);
    for (const BatchItem& item : items) tell(item, [&] { return status.error(); });
  } else if (items.size() == 1) {
    items.front().done(std::move(status.error()));
  } else {
    Items one;
    Items done;
    while (!items.empty()) {
      one.splice(one.begin(), items, items.begin());
      status = run_batch(worker, one, batch);
      if (status) {
        answer(worker, one);
      } else {
        one.front().done(std::move(status.error()));
      }
      done.splice(done.end(), one);
    }
    items.splice(items.end(), done);
  }
}

/// `batch` is met already where items are repeated one by one, so it is kept.
Status Batcher::State::run_batch(Worker& worker, const Items& items, std::int64_t batch) {
  worker.inputs.clear();
  for (const BatchItem& item : items) worker.inputs.push_back(&item.inputs);
  {
    const Span span(worker.session.tracer(), "gather");
    TARMAC_CHECK_OK(at_edge([&] { return worker.stage.gather(worker.inputs, batch); }));
  }
  TARMAC_CHECK_OK(worker.session.run(options_of(items)));
  return at_edge([&] { return worker.stage.collect(); });
}

void Batcher::State::answer(Worker& worker, Items& items) {
  const Span span(worker.session.tracer(), "slice");
  const auto now = Clock::now();
  std::int64_t index = 0;
  for (const BatchItem& item : items) {
    const std::int64_t own = index++;
    if (item.deadline && *item.deadline <= now) {
      metrics.deadlines_missed.fetch_add(1, std::memory_order_relaxed);
      tell(item, late_error);
      continue;
    }
    MemoryPool* pool = options.results ? &*options.results : nullptr;
    tell(item, [&] { return worker.stage.slice(own, pool); });
  }
}

Batcher::Batcher(std::unique_ptr<State> state) : state_(std::move(state)) {}
Batcher::Batcher(Batcher&&) noexcept = default;
Batcher& Batcher::operator=(Batcher&&) noexcept = default;
Batcher::~Batcher() = default;

tarmac::Result<Batcher> Batcher::create(const Session& model, const BatcherOptions& options) {
  if (options.max_batch < 1 || options.contexts < 1 || options.max_queue < 1 ||
      options.max_wait < std::chrono::nanoseconds(0)) {
    return make_error(ErrorCode::kUsage, "a batcher of max_batch " + std::to_string(options.max_batch) +
                                             ", contexts " + std::to_string(options.contexts) +
                                             ", max_queue " + std::to_string(options.max_queue) +
                                             ", max_wait " + std::to_string(options.max_wait.count()) +
                                             " ns: all must be at least 1, max_wait at least 0");
  }
  if (model.carries_state()) {
    return make_error(ErrorCode::kUsage,
                      "the model carries state from run to run, so its frames cannot run together");
  }
  TARMAC_TRY(const std::int64_t fixed, fixed_batch(model.inputs(), model.outputs()));
  if (fixed > 1 && fixed < options.max_batch) {
    return make_error(ErrorCode::kUsage, "the model's batch is fixed to " + std::to_string(fixed) +
                                             ", which is less than max_batch " +
                                             std::to_string(options.max_batch) +
                                             ": lower max_batch, or export the model with an open batch");
  }
  return at_edge([&]() -> tarmac::Result<Batcher> {
    TARMAC_TRY(auto workers, make_workers(model, options, fixed));
    auto state = std::make_unique<State>(std::move(workers), options, fixed);
    TARMAC_CHECK_OK(state->start());
    return Batcher(std::move(state));
  });
}

void Batcher::submit(NamedTensors inputs, Done done, const RunOptions& options) {
  BatchItem item;
  item.inputs = std::move(inputs);
  item.done = std::move(done);
  item.deadline = options.deadline;
  state_->submit(std::move(item));
}

std::future<Batcher::Result> Batcher::submit(NamedTensors inputs, const RunOptions& options) {
  std::future<Result> future;
  (void)at_edge([&]() -> Status {
    const auto promise = std::make_shared<std::promise<Result>>();
    Done done = [promise](Result result) { promise->set_value(std::move(result)); };
    future = promise->get_future();
    submit(std::move(inputs), std::move(done), options);
    return {};
  });
  return future;
}

}  // namespace tarmac

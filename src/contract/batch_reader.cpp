#include "contract/batch_reader.h"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <system_error>
#include <thread>

namespace tarmac {

/// A sample and what is right for it.
struct BatchReader::Sample {
  std::map<std::string, Tensor> inputs;
  Truth truth;
};

/// Threads that load samples into a ring of `window` slots; take() empties them in order.
class BatchReader::Prefetcher {
 public:
  Prefetcher(const Dataset& dataset, std::size_t window, int threads) : dataset_(dataset), slots_(window) {
    try {
      for (int i = 0; i < threads; ++i) workers_.emplace_back([this] { work(); });
    } catch (...) {  // the system has no more threads: those that run must be joined
      stop();
      throw;
    }
  }

  ~Prefetcher() { stop(); }
  Prefetcher(const Prefetcher&) = delete;
  Prefetcher& operator=(const Prefetcher&) = delete;

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    room_.notify_all();
    for (std::thread& worker : workers_) {
      if (worker.joinable()) worker.join();
    }
  }

  /// Waits for sample `taken_`; called once for each sample of the data set.
  Result<Sample> take() {
    std::unique_lock lock(mutex_);
    auto& slot = slots_[taken_ % slots_.size()];
    filled_.wait(lock, [&] { return slot.has_value(); });
    Result<Sample> sample = std::move(*slot);
    slot.reset();
    ++taken_;
    lock.unlock();
    room_.notify_one();
    return sample;
  }

 private:
  void work() {
    while (true) {
      std::unique_lock lock(mutex_);
      room_.wait(
          lock, [&] { return stopped_ || claimed_ >= dataset_.size() || claimed_ < taken_ + slots_.size(); });
      if (stopped_ || claimed_ >= dataset_.size()) return;
      const std::size_t index = claimed_++;
      lock.unlock();
      Result<Sample> sample = load(index);
      lock.lock();
      slots_[index % slots_.size()] = std::move(sample);
      lock.unlock();
      filled_.notify_one();
    }
  }

  /// An exception must not leave a thread.
  Result<Sample> load(std::size_t index) const {
    try {
      Sample sample;
      TARMAC_TRY(sample.inputs, dataset_.load(index));
      if (dataset_.has_truth()) {
        TARMAC_TRY(sample.truth, dataset_.load_truth(index));
      }
      return sample;
    } catch (const std::exception& error) {
      return make_error(ErrorCode::kResourceExhausted, std::string("cannot load a sample: ") + error.what(),
                        {}, dataset_.items()[index].path.string());
    }
  }

  const Dataset& dataset_;
  std::mutex mutex_;
  std::condition_variable room_;    ///< A slot was emptied, or the end.
  std::condition_variable filled_;  ///< A slot was filled.
  std::vector<std::optional<Result<Sample>>> slots_;
  std::size_t claimed_ = 0;  ///< Samples handed to threads.
  std::size_t taken_ = 0;    ///< Samples handed out.
  bool stopped_ = false;
  std::vector<std::thread> workers_;
};

/// Samples of one input, one after another; filled up with the last one to `count`.
Result<Tensor> BatchReader::stack(const std::vector<Sample>& samples, const std::string& name,
                                  std::size_t count) {
  const Tensor& first = samples.front().inputs.at(name);
  if (count == 1) return first;
  Shape shape = first.shape();
  shape[0] = static_cast<std::int64_t>(count);
  TARMAC_TRY(Tensor batch, Tensor::allocate(first.dtype(), shape));
  std::byte* to = batch.mutable_bytes().data();
  for (std::size_t i = 0; i < count; ++i) {
    const Tensor& sample = samples[std::min(i, samples.size() - 1)].inputs.at(name);
    if (sample.shape() != first.shape()) {
      return make_error(ErrorCode::kInvalidInput,
                        "samples of one batch come to " + to_string(first.shape()) + " and " +
                            to_string(sample.shape()) +
                            "; add a resize or crop to the preprocessing, or use batch size 1");
    }
    std::memcpy(to, sample.bytes().data(), sample.bytes().size());
    to += sample.bytes().size();
  }
  return batch;
}

namespace {

/// The one batch size that the contract's shapes give as a number; 0 when it is a symbol.
Result<std::size_t> find_fixed_batch(const Contract& contract) {
  std::int64_t fixed = 0;
  for (const InputSpec& input : contract.inputs) {
    const std::int64_t size = input.shape.empty() ? 0 : input.shape[0].size;
    if (&input != &contract.inputs[0] && size != fixed) {
      return make_error(ErrorCode::kUnsupported,
                        "input '" + input.name +
                            "' has another first dimension than the inputs before it; data is read "
                            "only for inputs that share the batch dimension, or from arrays with "
                            "an axis of samples before the input's own");
    }
    fixed = size;
  }
  return static_cast<std::size_t>(fixed);
}

bool is_bad_picture(const Error& error) {
  return error.code == ErrorCode::kInvalidInput || error.code == ErrorCode::kNotFound ||
         error.code == ErrorCode::kIo;
}

}  // namespace

BatchReader::BatchReader(const Dataset& dataset, const BatchOptions& options, std::size_t fixed_batch)
    : dataset_(dataset), options_(options), fixed_batch_(fixed_batch) {}

BatchReader::~BatchReader() = default;

Result<std::unique_ptr<BatchReader>> BatchReader::open(const Contract& contract, const Dataset& dataset,
                                                       const BatchOptions& options) {
  BatchOptions used = options;
  if (contract.sequence) used.max_unreadable = 0;  // a frame that is missing would shift the state
  std::size_t fixed_batch = 0;
  if (dataset.holds_whole_inputs()) {
    used.batch_size = 1;
  } else {
    TARMAC_TRY(fixed_batch, find_fixed_batch(contract));
  }
  if (used.batch_size == 0) used.batch_size = std::max<std::size_t>(fixed_batch, 1);
  if (fixed_batch != 0 && used.batch_size != fixed_batch) {
    return make_error(ErrorCode::kInvalidInput, "found the batch size " + std::to_string(used.batch_size) +
                                                    "; the contract's shape has " +
                                                    std::to_string(fixed_batch));
  }
  constexpr std::size_t kMaxBatch = 65536;
  constexpr int kMaxThreads = 64;
  if (used.batch_size > kMaxBatch || used.threads < 1 || used.threads > kMaxThreads) {
    return make_error(ErrorCode::kInvalidInput, "found " + std::to_string(used.batch_size) +
                                                    " samples a batch and " + std::to_string(used.threads) +
                                                    " threads; at most 65536 and 1 to 64");
  }
  std::unique_ptr<BatchReader> reader(new BatchReader(dataset, used, fixed_batch));
  const std::size_t window = 2 * used.batch_size + static_cast<std::size_t>(used.threads);
  try {
    reader->prefetcher_ = std::make_unique<Prefetcher>(dataset, window, used.threads);
  } catch (const std::exception& error) {
    return make_error(ErrorCode::kResourceExhausted, std::string("cannot start threads: ") + error.what());
  }
  return reader;
}

const std::vector<Error>& BatchReader::unreadable() const { return unreadable_; }

Status BatchReader::leave_out(Error error) {
  if (!is_bad_picture(error)) return error;
  unreadable_.push_back(std::move(error));
  const double allowed = options_.max_unreadable * static_cast<double>(dataset_.size());
  if (static_cast<double>(unreadable_.size()) <= allowed) return {};
  return make_error(ErrorCode::kInvalidInput,
                    std::to_string(unreadable_.size()) + " of " + std::to_string(dataset_.size()) +
                        " samples cannot be read, more than the allowed " +
                        std::to_string(static_cast<std::size_t>(allowed)) +
                        "; repair or remove them; the first is " + unreadable_.front().str());
}

Status BatchReader::collect(std::vector<Sample>& samples, Batch& batch) {
  while (samples.size() < options_.batch_size && position_ < dataset_.size()) {
    const DataItem& item = dataset_.items()[position_++];
    auto sample = prefetcher_->take();
    if (!sample) {
      TARMAC_CHECK_OK(leave_out(std::move(sample).error()));
      continue;
    }
    if (dataset_.has_truth()) batch.truths.push_back(std::move(sample->truth));
    samples.push_back(*std::move(sample));
    batch.items.push_back(item);
  }
  return {};
}

Result<std::optional<Batch>> BatchReader::next() {
  if (failure_) return *failure_;
  Batch batch;
  std::vector<Sample> samples;
  if (auto collected = collect(samples, batch); !collected) {
    failure_ = collected.error();
    return *failure_;
  }
  if (samples.empty()) return std::optional<Batch>();
  const std::size_t count = fixed_batch_ != 0 ? fixed_batch_ : samples.size();
  batch.whole = dataset_.holds_whole_inputs();
  batch.starts_scene = batch.items.front().scene != scene_;
  scene_ = batch.items.back().scene;
  for (const auto& [name, tensor] : samples.front().inputs) {
    auto stacked = stack(samples, name, count);
    if (!stacked) {
      failure_ = std::move(stacked).error();
      return *failure_;
    }
    batch.inputs[name] = *std::move(stacked);
  }
  return std::optional<Batch>(std::move(batch));
}

}  // namespace tarmac

// Reads a data set in batches, prepared ahead on a few threads in memory that does not grow with the data
// set.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "contract/dataset.h"

namespace tarmac {

/// Consecutive samples of the data set.
struct Batch {
  std::map<std::string, Tensor> inputs;  ///< By input name; samples along the first axis, or `whole`.
  bool whole = false;                    ///< One sample, whose axes are all the input's own.
  std::vector<DataItem> items;           ///< What the samples are, with their labels.
  std::vector<Truth> truths;             ///< Label maps or boxes of the samples; empty without any.
  bool starts_scene = true;              ///< The first of them is of another scene than the sample before.
};

struct BatchOptions {
  /// Samples a batch; 0: the contract's batch size where it is a number, else 1. The last batch may be
  /// smaller, but where the contract's batch size is a number its tensors keep that size, filled with
  /// repetitions of the last sample.
  std::size_t batch_size = 0;
  int threads = 2;  ///< That prepare samples; 1 to 64.
  /// Pictures that cannot be read are left out while they are at most this share of all; none where the
  /// contract has a sequence, whose order counts.
  double max_unreadable = 0.05;
};

/// Batches in the order of the data set, the same for every number of threads. Not thread-safe. At most
/// 2 * batch_size + threads samples are held besides the batch handed out.
class BatchReader {
 public:
  /// `dataset` must outlive the reader. Errors: kInvalidInput (options, or a batch size other than the
  /// contract's).
  static Result<std::unique_ptr<BatchReader>> open(const Contract& contract, const Dataset& dataset,
                                                   const BatchOptions& options = {});
  ~BatchReader();

  /// The next batch, or nothing after the last. Errors: kInvalidInput when samples of one batch differ in
  /// shape, or more pictures than allowed cannot be read (names the first); any error of Dataset::load() that
  /// is not a bad picture. After an error only the same error follows.
  Result<std::optional<Batch>> next();

  /// Why each picture that was left out so far cannot be read; its context is the path.
  [[nodiscard]] const std::vector<Error>& unreadable() const;

 private:
  class Prefetcher;
  struct Sample;
  BatchReader(const Dataset& dataset, const BatchOptions& options, std::size_t fixed_batch);

  /// The next readable samples, at most a batch.
  Status collect(std::vector<Sample>& samples, Batch& batch);
  static Result<Tensor> stack(const std::vector<Sample>& samples, const std::string& name, std::size_t count);
  Status leave_out(Error error);

  const Dataset& dataset_;
  const BatchOptions options_;
  const std::size_t fixed_batch_;  ///< 0 where the contract's batch size is a symbol.
  std::size_t position_ = 0;
  int scene_ = -1;  ///< Of the latest sample handed out.
  std::vector<Error> unreadable_;
  std::optional<Error> failure_;
  std::unique_ptr<Prefetcher> prefetcher_;
};

}  // namespace tarmac

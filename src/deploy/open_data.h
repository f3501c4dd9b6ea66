// Real samples for calibration and comparison: those that a user names, or those of a contract.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "contract/batch_reader.h"
#include "contract/dataset.h"
#include "graph/graph.h"
#include "precision/calibrate.h"

namespace tarmac {

struct DataRequest {
  std::string data;          ///< a folder of pictures, .npz, .npy, a list or a video; empty: the contract's
  std::string contract;      ///< deploy.yaml
  std::int64_t samples = 0;  ///< 0: as many as the contract says, else at most default_samples
  std::optional<std::uint64_t> seed;
  std::int64_t default_samples = 0;  ///< 0: all

  [[nodiscard]] bool given() const { return !data.empty() || !contract.empty(); }
};

/// A contract with the data set that it describes. Not movable: readers point into it.
class OpenData {
 public:
  /// DataRequest::data, else the contract's calibration data. Tensors need no contract: their names are the
  /// model's inputs. Errors: kUsage (no data, or pictures without a contract), load_contract()'s and
  /// Dataset::open()'s.
  static Result<std::unique_ptr<OpenData>> open(const DataRequest& request, const Model& model);

  [[nodiscard]] std::size_t samples() const { return dataset_->size(); }
  [[nodiscard]] std::string path() const { return source_.path.string(); }
  /// Batches of at most `batch_size` samples (of the contract's size where that is fixed), `limit` samples at
  /// most (0: all). Frames of a sequence have beside them the state that the model carries into them. Refers
  /// to this object.
  [[nodiscard]] Result<BatchSource> batches(std::size_t batch_size, std::size_t limit = 0) const;
  /// The same with how many samples count in each.
  [[nodiscard]] Result<CalibrationSource> complete_batches(std::size_t batch_size) const;
  /// The same without state, for who carries it.
  [[nodiscard]] Result<CalibrationSource> calibration_batches(std::size_t batch_size) const;
  /// SHA-256 of all samples. Advances the progress by one for each. Errors: kIo, kCancelled.
  [[nodiscard]] Result<std::string> digest(Progress& progress) const;
  /// Leaves this shard only (from 1).
  void keep_shard(std::int64_t index, std::int64_t count) { dataset_->keep_shard(index, count); }
  [[nodiscard]] const Contract& contract() const { return contract_; }
  [[nodiscard]] const DataSource& source() const { return source_; }
  [[nodiscard]] const Dataset& dataset() const { return *dataset_; }
  /// How many batches that are.
  [[nodiscard]] std::size_t batch_count(std::size_t batch_size) const;
  /// Refuses samples that are in the contract's evaluation data as well, where that is there. Errors: as
  /// check_disjoint() and Dataset::open().
  [[nodiscard]] Status check_no_evaluation_data(Progress& progress) const;
  /// The contract's batch size where that is fixed, 1 for sequences, else `batch_size`.
  [[nodiscard]] std::size_t effective_batch(std::size_t batch_size) const;

 private:
  OpenData() = default;

  Contract contract_;
  Model model_;  ///< where it carries state
  DataSource source_;
  std::unique_ptr<Dataset> dataset_;
};

}  // namespace tarmac

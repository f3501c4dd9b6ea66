// --data, --contract and --samples: real samples for calibration and comparison.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "contract/batch_reader.h"
#include "contract/dataset.h"
#include "graph/graph.h"
#include "precision/calibrate.h"

namespace tarmac::cli {

struct DataArgs {
  std::string data;
  std::string contract;
  std::int64_t samples = 0;  ///< 0: all

  void add(CLI::App& command, const std::string& data_description);
  [[nodiscard]] bool given() const { return !data.empty() || !contract.empty(); }
};

/// A contract with the data set that it describes. Not movable: readers point into it.
class OpenData {
 public:
  /// --data, else the contract's calibration data. Tensors need no contract: their names are the model's
  /// inputs. Errors: kUsage (no data, or pictures without a contract), load_contract()'s and
  /// Dataset::open()'s.
  static Result<std::unique_ptr<OpenData>> open(const DataArgs& args, const Model& model);

  [[nodiscard]] std::size_t samples() const { return dataset_->size(); }
  [[nodiscard]] std::string path() const { return source_.path.string(); }
  /// Batches of at most `batch_size` samples (of the contract's size where that is fixed), `limit` samples at
  /// most (0: all). Refers to this object.
  [[nodiscard]] Result<BatchSource> batches(std::size_t batch_size, std::size_t limit = 0) const;
  /// The same with how many samples count in each.
  [[nodiscard]] Result<CalibrationSource> calibration_batches(std::size_t batch_size) const;
  /// SHA-256 of all samples. Advances the progress by one for each. Errors: kIo, kCancelled.
  [[nodiscard]] Result<std::string> digest(Progress& progress) const;
  /// Leaves samples [begin, end) only.
  void keep(std::size_t begin, std::size_t end) { dataset_->keep(begin, end); }
  [[nodiscard]] const Contract& contract() const { return contract_; }
  [[nodiscard]] const Dataset& dataset() const { return *dataset_; }
  /// The contract's batch size where that is fixed, else `batch_size`.
  [[nodiscard]] std::size_t effective_batch(std::size_t batch_size) const;
  /// How many batches that are.
  [[nodiscard]] std::size_t batch_count(std::size_t batch_size) const;

 private:
  OpenData() = default;

  Contract contract_;
  DataSource source_;
  std::unique_ptr<Dataset> dataset_;
};

}  // namespace tarmac::cli

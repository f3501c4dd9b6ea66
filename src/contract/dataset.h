// The samples of a data source, ready for the model: pictures and frames of videos through the preprocessing,
// or rows of tensors as they are.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/sha256.h"
#include "contract/picture_list.h"
#include "contract/preprocess.h"
#include "contract/truth.h"
#include "contract/video.h"
#include "tarmac/contract.h"
#include "tarmac/tensor.h"

namespace tarmac {

/// Holds paths, not pixels; tensors of .npy files stay there. Const functions may run on several threads
/// at once.
class Dataset {
 public:
  /// Finds the samples and takes DataSource::samples of them; all, with a warning in the log, where there are
  /// fewer. Errors: as list_folder() and read_list(); kInvalidInput when arrays do not fit the contract's
  /// inputs (says both).
  static Result<Dataset> open(const Contract& contract, const DataSource& source);

  [[nodiscard]] std::size_t size() const { return items_.size(); }
  [[nodiscard]] const std::vector<DataItem>& items() const { return items_; }
  /// Files in the folder that were passed over, as no samples by their names.
  [[nodiscard]] std::size_t ignored_files() const { return ignored_files_; }

  /// One sample for every input of the model, with batch size 1. Errors as Preprocessor::run().
  [[nodiscard]] Result<std::map<std::string, Tensor>> load(std::size_t index) const;

  /// Whether arrays have an axis of samples before the input's own shape, so that each sample is all that a
  /// run takes: for inputs whose first axes are no batch, such as cameras. Samples then run one at a time.
  [[nodiscard]] bool holds_whole_inputs() const { return whole_inputs_; }

  /// Whether samples have more than one label: a label map or boxes.
  [[nodiscard]] bool has_truth() const { return truth_source_ != nullptr || !truth_array_.empty(); }
  /// The sample's label map or boxes; needs has_truth(). Errors as TruthSource::load().
  [[nodiscard]] Result<Truth> load_truth(std::size_t index) const;

  /// Leaves at most `count` samples, by choose_stratified(); by choose_scenes() where their order counts.
  void choose(std::int64_t count, std::uint64_t seed);
  /// Leaves shard `index` of `count` only (from 1); shards of sequences are whole scenes.
  void keep_shard(std::int64_t index, std::int64_t count);
  /// Whether the contract says that samples follow each other in time.
  [[nodiscard]] bool ordered() const { return ordered_; }

  /// Hash of the sample's own file, or of its rows or frame.
  [[nodiscard]] Result<Sha256Digest> digest(std::size_t index) const;
  /// Of the samples' digests, in order, with the scenes where order counts. Reads them all. Errors: kIo,
  /// kCancelled.
  [[nodiscard]] Result<Sha256Digest> digest_all(Progress& progress) const;

 private:
  Dataset() = default;
  Status open_tensors(const Contract& contract, const DataSource& source);
  Status open_tensor_files(const Contract& contract, const DataSource& source);
  Status open_labels(const Contract& contract, const std::string& context);
  Status open_pictures(const Contract& contract, const DataSource& source);
  Status open_videos(const DataSource& source);

  std::vector<DataItem> items_;
  std::size_t ignored_files_ = 0;
  bool ordered_ = false;
  std::string picture_input_;
  std::shared_ptr<VideoFrames> video_;
  std::optional<Preprocessor> preprocessor_;
  std::map<std::string, Tensor> arrays_;  ///< By input name; samples along the first axis.
  std::vector<InputSpec> tensor_inputs_;  ///< Where each sample is a file of tensors.
  bool whole_inputs_ = false;
  std::shared_ptr<const TruthSource> truth_source_;
  Tensor truth_array_;  ///< The array "labels" where it has more than one number a sample.
};

/// Classes of the contract that no sample is of; none where the samples have no labels.
std::vector<std::string> missing_labels(const Contract& contract, const Dataset& data);

/// The inputs of the reference as a data source.
DataSource to_data_source(const ReferenceSpec& reference);

/// OK when no sample of one is in the other, by content whatever the names. Otherwise kInvalidInput naming
/// how many, and the first pair. Reads only files whose size occurs on both sides. Errors also kIo,
/// kCancelled.
Status check_disjoint(const Dataset& calibration, const Dataset& evaluation,
                      Progress& progress = no_progress());

}  // namespace tarmac

#include "contract/dataset.h"

#include <algorithm>
#include <cassert>
#include <limits>

#include "base/log.h"
#include "contract/describe.h"
#include "contract/field.h"
#include "contract/scenes.h"
#include "contract/subset.h"
#include "contract/tensor_file.h"
#include "tensor/codec.h"
#include "tensor/io.h"

namespace tarmac {
namespace {

constexpr const char* kLabelsArray = "labels";
constexpr const char* kScenesArray = "scenes";
constexpr std::int64_t kMaxSamples = 10'000'000;
/// Of the array "labels", by what a row of it is.
constexpr std::int64_t kBoxColumns = 5;
constexpr std::int64_t kBox3dColumns = 8;
constexpr std::int64_t kColumnsWithVelocity = 10;

/// An array holds samples along its first axis, and the others are the input's; or, `whole`, one whole input
/// a sample.
Status check_array(const InputSpec& input, const Tensor& array, std::int64_t samples, bool whole,
                   const std::string& context) {
  const std::int64_t expected = std::max<std::int64_t>(samples, 1);
  const std::size_t more = whole ? 1 : 0;
  bool fits = array.dtype() == input.dtype && array.shape().size() == input.shape.size() + more &&
              !array.shape().empty() && array.shape()[0] == expected && array.count() > 0;
  for (std::size_t i = 1 - more; fits && i < input.shape.size(); ++i) {
    fits = !input.shape[i].fixed() || input.shape[i].size == array.shape()[i + more];
  }
  if (fits) return {};
  return make_error(ErrorCode::kInvalidInput,
                    "the array for input '" + input.name + "' is " + to_string(array.dtype()) + " " +
                        to_string(array.shape()) + "; expected " + to_string(input.dtype) + " " +
                        describe_shape(input.shape) + " with " + std::to_string(samples) + " samples along " +
                        (whole ? "a further axis before these, as the first input has it" : "the first axis"),
                    {}, context);
}

/// Row `row` of an array, sharing its bytes: a batch of one, or, `whole`, what lies behind the first axis.
Result<Tensor> row_of(const Tensor& array, std::int64_t row, bool whole = false) {
  Shape shape = array.shape();
  const std::size_t row_bytes = array.bytes().size() / static_cast<std::size_t>(shape[0]);
  shape[0] = 1;
  if (whole) shape.erase(shape.begin());
  return Tensor::view(array.dtype(), std::move(shape),
                      array.bytes().subspan(static_cast<std::size_t>(row) * row_bytes, row_bytes),
                      std::make_shared<Tensor>(array));
}

Status read_labels(const Tensor& array, std::size_t label_count, const std::string& context,
                   std::vector<DataItem>& items) {
  TARMAC_TRY(const auto labels, to_int64s(array));
  if (labels.size() != items.size()) {
    return make_error(
        ErrorCode::kInvalidInput,
        "found " + std::to_string(labels.size()) + " labels for " + std::to_string(items.size()) + " samples",
        {}, context);
  }
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < 0 || labels[i] >= static_cast<std::int64_t>(label_count)) {
      return make_error(ErrorCode::kInvalidInput,
                        "found the label " + std::to_string(labels[i]) + " of sample " + std::to_string(i) +
                            "; expected 0 to " + std::to_string(label_count - 1),
                        {}, context);
    }
    items[i].label = static_cast<int>(labels[i]);
  }
  return {};
}

/// Rows of class, x1, y1, x2, y2; those with a class below 0 only fill up.
Result<Truth> boxes_of(const Tensor& rows) {
  constexpr std::size_t kNumbers = 5;
  TARMAC_TRY(const std::vector<double> numbers, to_doubles(rows));
  Truth truth;
  truth.has_boxes = true;
  for (std::size_t i = 0; i < numbers.size(); i += kNumbers) {
    const double label = numbers[i];
    if (!(label <= 1e9)) return make_error(ErrorCode::kInvalidInput, "found a box whose class is no number");
    if (label < 0) continue;
    truth.boxes.push_back({{numbers[i + 1], numbers[i + 2], numbers[i + 3], numbers[i + 4]},
                           static_cast<std::int64_t>(label),
                           false});
  }
  return truth;
}

/// Rows of class, x, y, z, dx, dy, dz, yaw and, in ten columns, vx, vy; those with a class below 0 only fill
/// up.
Result<Truth> boxes_3d_of(const Tensor& rows) {
  const std::int64_t width = rows.shape()[2];
  const auto columns = static_cast<std::size_t>(width);
  TARMAC_TRY(const std::vector<double> numbers, to_doubles(rows));
  constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
  Truth truth;
  truth.has_boxes_3d = true;
  for (std::size_t i = 0; i < numbers.size(); i += columns) {
    const double* const row = &numbers[i];
    if (!(row[0] <= 1e9)) return make_error(ErrorCode::kInvalidInput, "found a box whose class is no number");
    if (row[0] < 0) continue;
    const bool moves = width == kColumnsWithVelocity;
    truth.boxes_3d.push_back({{row[1], row[2], row[3], row[4], row[5], row[6], row[7],
                               moves ? row[8] : kUnknown, moves ? row[9] : kUnknown},
                              static_cast<std::int64_t>(row[0])});
  }
  return truth;
}

bool takes_tensors(const Contract& contract) {
  return std::none_of(contract.inputs.begin(), contract.inputs.end(),
                      [](const InputSpec& input) { return input.is_picture(); });
}

Status read_scenes(const std::map<std::string, Tensor>& arrays, const std::string& context,
                   std::vector<DataItem>& items) {
  const auto found = arrays.find(kScenesArray);
  if (found == arrays.end()) {
    return make_error(ErrorCode::kInvalidInput, "found no array 'scenes'; add it, or remove 'scenes: array'",
                      {}, context);
  }
  TARMAC_TRY(const auto numbers, to_int64s(found->second));
  if (numbers.size() != items.size()) {
    return make_error(ErrorCode::kInvalidInput,
                      "found " + std::to_string(numbers.size()) + " scenes for " +
                          std::to_string(items.size()) + " samples",
                      {}, context);
  }
  for (std::size_t i = 1; i < items.size(); ++i)
    items[i].scene = items[i - 1].scene + (numbers[i] != numbers[i - 1] ? 1 : 0);
  return {};
}

}  // namespace

Status Dataset::open_labels(const Contract& contract, const std::string& context) {
  const auto wrong = [&](const std::string& what) {
    return make_error(ErrorCode::kInvalidInput, what, {}, context);
  };
  const auto found = arrays_.find(kLabelsArray);
  if (found == arrays_.end()) return wrong("found no array 'labels'; add it, or remove 'labels: from_file'");
  const Tensor& labels = found->second;
  if (labels.shape().size() <= 1) return read_labels(labels, contract.labels.size(), context, items_);
  const bool maps = labels.shape().size() == 3 && is_integer(labels.dtype());
  const std::int64_t columns = labels.shape().back();
  const bool boxes = labels.shape().size() == 3 && is_floating_point(labels.dtype()) &&
                     (columns == kBoxColumns || columns == kBox3dColumns || columns == kColumnsWithVelocity);
  if ((!maps && !boxes) || labels.shape()[0] != static_cast<std::int64_t>(items_.size())) {
    return wrong(std::string("the array 'labels' is ") + to_string(labels.dtype()) + " " +
                 to_string(labels.shape()) + "; expected " + std::to_string(items_.size()) +
                 " samples: classes [samples], label maps [samples, height, width] of integers, boxes "
                 "[samples, boxes, 5] of floats, or 3-D boxes [samples, boxes, 10] (8 without velocities)");
  }
  truth_array_ = labels;
  return {};
}

Status Dataset::open_tensors(const Contract& contract, const DataSource& source) {
  const std::string context = source.path.string();
  if (source.path.extension() == ".npy") {
    if (contract.inputs.size() != 1) {
      return make_error(ErrorCode::kInvalidInput, "an .npy file serves a model with one input; give an .npz",
                        {}, context);
    }
    TARMAC_TRY(arrays_[contract.inputs[0].name], read_npy(source.path));
  } else {
    TARMAC_TRY(arrays_, read_npz(source.path));
  }
  std::vector<std::string_view> allowed;
  std::int64_t samples = 0;
  for (const InputSpec& input : contract.inputs) {
    allowed.emplace_back(input.name);
    const auto found = arrays_.find(input.name);
    if (found == arrays_.end()) {
      return make_error(ErrorCode::kInvalidInput, "found no array for input '" + input.name + "'", {},
                        context);
    }
    if (&input == &contract.inputs[0] && !found->second.shape().empty()) {
      samples = found->second.shape()[0];
      whole_inputs_ = found->second.shape().size() == input.shape.size() + 1;
    }
    TARMAC_CHECK_OK(check_array(input, found->second, samples, whole_inputs_, context));
  }
  if (samples > kMaxSamples) {
    return make_error(ErrorCode::kResourceExhausted, "found more than ten million samples", {}, context);
  }
  for (std::int64_t row = 0; row < samples; ++row) items_.push_back(DataItem{source.path, row, -1, 0});
  if (source.labels == LabelSource::kFromFile) TARMAC_CHECK_OK(open_labels(contract, context));
  if (contract.sequence && contract.sequence->scenes == SceneSource::kArray) {
    TARMAC_CHECK_OK(read_scenes(arrays_, context, items_));
  }
  for (const char* const name : {kLabelsArray, kScenesArray}) {
    if (contract.find_input(name) == nullptr) arrays_.erase(name);
  }
  for (const auto& [name, array] : arrays_) {
    if (contract.find_input(name) == nullptr) {
      return make_error(ErrorCode::kInvalidInput,
                        "found the array " + quote(name) + ", which is no input; allowed: " + join(allowed) +
                            ", labels, scenes",
                        {}, context);
    }
  }
  return {};
}

Status Dataset::open_tensor_files(const Contract& contract, const DataSource& source) {
  tensor_inputs_ = contract.inputs;
  TARMAC_TRY(PictureList list,
             list_folder(source, contract.labels,
                         contract.inputs.size() == 1 ? FolderFiles::kNpy : FolderFiles::kNpz));
  items_ = std::move(list.items);
  ignored_files_ = list.ignored_files;
  TARMAC_TRY(whole_inputs_, holds_whole_input(tensor_inputs_, items_.front().path));
  if (contract.sequence && contract.sequence->scenes == SceneSource::kFolders) scenes_from_folders(items_);
  return {};
}

Status Dataset::open_videos(const DataSource& source) {
  video_ = std::make_shared<VideoFrames>(source.stride);
  TARMAC_TRY(const auto files, list_videos(source.path));
  for (std::size_t scene = 0; scene < files.size(); ++scene) {
    TARMAC_TRY(const std::int64_t frames, video_->count(files[scene]));
    for (std::int64_t frame = 0; frame < frames; frame += source.stride)
      items_.push_back(DataItem{files[scene], frame, -1, static_cast<int>(scene)});
  }
  if (items_.empty()) {
    return make_error(ErrorCode::kInvalidInput, "the video holds no frame that can be read", {},
                      source.path.string());
  }
  return {};
}

Status Dataset::open_pictures(const Contract& contract, const DataSource& source) {
  if (contract.inputs.size() != 1 || !contract.inputs[0].is_picture()) {
    return make_error(ErrorCode::kInvalidInput, "pictures need a model with one input that has preprocess",
                      {}, source.path.string());
  }
  const InputSpec& input = contract.inputs[0];
  const SceneSource scenes = contract.sequence ? contract.sequence->scenes : SceneSource::kOne;
  picture_input_ = input.name;
  TARMAC_TRY(preprocessor_, Preprocessor::make(input));
  if (source.kind == DataKind::kVideo) return open_videos(source);
  TARMAC_TRY(PictureList list,
             source.kind == DataKind::kFolder
                 ? list_folder(source, contract.labels,
                               input.is_raw() ? FolderFiles::kFrames : FolderFiles::kPictures)
                 : read_list(source, contract.labels, scenes == SceneSource::kColumn));
  items_ = std::move(list.items);
  ignored_files_ = list.ignored_files;
  if (scenes == SceneSource::kFolders) scenes_from_folders(items_);
  return {};
}

Result<Dataset> Dataset::open(const Contract& contract, const DataSource& source) {
  Dataset dataset;
  dataset.ordered_ = contract.sequence.has_value();
  if (source.kind == DataKind::kTensors) {
    TARMAC_CHECK_OK(dataset.open_tensors(contract, source));
  } else if (source.kind == DataKind::kFolder && takes_tensors(contract)) {
    TARMAC_CHECK_OK(dataset.open_tensor_files(contract, source));
  } else {
    TARMAC_CHECK_OK(dataset.open_pictures(contract, source));
  }
  if (source.samples) {
    const auto there = static_cast<std::int64_t>(dataset.size());
    if (*source.samples > there) {
      log(LogLevel::kWarning, source.path.string() + ": " + std::to_string(*source.samples) +
                                  " samples were asked for, there are " + std::to_string(there) +
                                  "; going on with those");
    }
    dataset.choose(*source.samples, source.seed);
  }
  if (source.labels == LabelSource::kMasks || source.labels == LabelSource::kBoxes) {
    TARMAC_TRY(dataset.truth_source_, TruthSource::open(contract, source, dataset.items_));
  }
  return dataset;
}

void Dataset::choose(std::int64_t count, std::uint64_t seed) {
  const auto most = static_cast<std::size_t>(count);
  if (most < size())
    items_ = ordered_ ? choose_scenes(items_, most, seed) : choose_stratified(items_, most, seed);
}

Result<std::map<std::string, Tensor>> Dataset::load(std::size_t index) const {
  const DataItem& item = items_[index];
  std::map<std::string, Tensor> sample;
  if (video_) {
    TARMAC_TRY(const Picture frame, video_->frame(item.path, item.row));
    TARMAC_TRY(sample[picture_input_], preprocessor_->run(frame.view));
    return sample;
  }
  if (preprocessor_) {
    TARMAC_TRY(sample[picture_input_], preprocessor_->run(item.path));
    return sample;
  }
  if (!tensor_inputs_.empty()) return load_tensor_file(tensor_inputs_, item.path, whole_inputs_);
  for (const auto& [name, array] : arrays_) {
    TARMAC_TRY(sample[name], row_of(array, item.row, whole_inputs_));
  }
  return sample;
}

Result<Truth> Dataset::load_truth(std::size_t index) const {
  const DataItem& item = items_[index];
  if (truth_source_) return truth_source_->load(item);
  TARMAC_TRY(const Tensor row, row_of(truth_array_, item.row));
  if (is_floating_point(row.dtype())) return row.shape()[2] == kBoxColumns ? boxes_of(row) : boxes_3d_of(row);
  Truth truth;
  TARMAC_TRY(truth.label_map, row.reshaped({row.shape()[1], row.shape()[2]}));
  return truth;
}

Result<Sha256Digest> Dataset::digest(std::size_t index) const {
  const DataItem& item = items_[index];
  if (item.row < 0) return sha256_file(item.path);
  Sha256 hash;
  if (video_) {
    TARMAC_TRY(const Sha256Digest file, video_->digest(item.path));
    hash.update(file);
    hash.update(std::as_bytes(std::span(&item.row, 1)));
    return hash.finish();
  }
  TARMAC_TRY(const auto sample, load(index));
  for (const auto& [name, tensor] : sample) hash.update(tensor.bytes());
  return hash.finish();
}

Result<Sha256Digest> Dataset::digest_all(Progress& progress) const {
  Sha256 hash;
  for (std::size_t i = 0; i < size(); ++i) {
    if (progress.cancelled()) return make_error(ErrorCode::kCancelled, "interrupted while hashing the data");
    TARMAC_TRY(const Sha256Digest one, digest(i));
    hash.update(one);
    if (ordered_) hash.update(std::as_bytes(std::span(&items_[i].scene, 1)));
    progress.advance();
  }
  return hash.finish();
}

void Dataset::keep_shard(std::int64_t index, std::int64_t count) {
  assert(1 <= index && index <= count);
  const auto begin_of = [&](std::int64_t shard) {
    return items_.begin() +
           static_cast<std::ptrdiff_t>(shard_begin(items_, static_cast<std::size_t>(shard),
                                                   static_cast<std::size_t>(count), ordered_));
  };
  items_ = std::vector<DataItem>(begin_of(index - 1), begin_of(index));
}

std::vector<std::string> missing_labels(const Contract& contract, const Dataset& data) {
  std::vector<bool> seen(contract.labels.size());
  bool labelled = false;
  for (const DataItem& item : data.items()) {
    if (item.label < 0) continue;
    labelled = true;
    seen[static_cast<std::size_t>(item.label)] = true;
  }
  std::vector<std::string> missing;
  for (std::size_t i = 0; labelled && i < seen.size(); ++i) {
    if (!seen[i]) missing.push_back(contract.labels[i]);
  }
  return missing;
}

DataSource to_data_source(const ReferenceSpec& reference) {
  DataSource source;
  source.kind = reference.inputs.extension() == ".txt" ? DataKind::kList : DataKind::kTensors;
  source.path = reference.inputs;
  source.root = reference.root;
  return source;
}

}  // namespace tarmac

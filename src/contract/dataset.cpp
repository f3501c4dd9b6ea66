#include "contract/dataset.h"

#include <algorithm>
#include <cassert>

#include "contract/field.h"
#include "contract/subset.h"
#include "tensor/codec.h"
#include "tensor/io.h"

namespace tarmac {
namespace {

constexpr const char* kLabelsArray = "labels";
constexpr std::int64_t kMaxSamples = 10'000'000;

std::string shape_text(const std::vector<InputDim>& shape) {
  std::string text = "[";
  for (const InputDim& dim : shape) {
    if (text.size() > 1) text += ", ";
    text += dim.fixed() ? std::to_string(dim.size) : dim.symbol;
  }
  return text + "]";
}

/// An array holds samples along its first axis; the others are the input's.
Status check_array(const InputSpec& input, const Tensor& array, std::int64_t samples,
                   const std::string& context) {
  const std::int64_t expected = std::max<std::int64_t>(samples, 1);
  bool fits = array.dtype() == input.dtype && array.shape().size() == input.shape.size() &&
              !input.shape.empty() && array.shape()[0] == expected && array.count() > 0;
  for (std::size_t i = 1; fits && i < input.shape.size(); ++i) {
    fits = !input.shape[i].fixed() || input.shape[i].size == array.shape()[i];
  }
  if (fits) return {};
  return make_error(ErrorCode::kInvalidInput,
                    "the array for input '" + input.name + "' is " + to_string(array.dtype()) + " " +
                        to_string(array.shape()) + "; expected " + to_string(input.dtype) + " " +
                        shape_text(input.shape) + " with " + std::to_string(samples) +
                        " samples along the first axis",
                    {}, context);
}

/// Row `row` of an array as a batch of one, sharing its bytes.
Result<Tensor> row_of(const Tensor& array, std::int64_t row) {
  Shape shape = array.shape();
  const std::size_t row_bytes = array.bytes().size() / static_cast<std::size_t>(shape[0]);
  shape[0] = 1;
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
  const bool boxes =
      labels.shape().size() == 3 && is_floating_point(labels.dtype()) && labels.shape()[2] == 5;
  if ((!maps && !boxes) || labels.shape()[0] != static_cast<std::int64_t>(items_.size())) {
    return wrong(std::string("the array 'labels' is ") + to_string(labels.dtype()) + " " +
                 to_string(labels.shape()) + "; expected " + std::to_string(items_.size()) +
                 " samples: classes [samples], label maps [samples, height, width] of integers, or boxes "
                 "[samples, boxes, 5] of floats");
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
    if (&input == &contract.inputs[0] && !found->second.shape().empty()) samples = found->second.shape()[0];
    TARMAC_CHECK_OK(check_array(input, found->second, samples, context));
  }
  if (samples > kMaxSamples) {
    return make_error(ErrorCode::kResourceExhausted, "found more than ten million samples", {}, context);
  }
  for (std::int64_t row = 0; row < samples; ++row) items_.push_back(DataItem{source.path, row, -1});
  if (source.labels == LabelSource::kFromFile) TARMAC_CHECK_OK(open_labels(contract, context));
  if (contract.find_input(kLabelsArray) == nullptr) arrays_.erase(kLabelsArray);
  for (const auto& [name, array] : arrays_) {
    if (contract.find_input(name) == nullptr) {
      return make_error(
          ErrorCode::kInvalidInput,
          "found the array " + quote(name) + ", which is no input; allowed: " + join(allowed) + ", labels",
          {}, context);
    }
  }
  return {};
}

Result<Dataset> Dataset::open(const Contract& contract, const DataSource& source) {
  Dataset dataset;
  if (source.kind == DataKind::kTensors) {
    TARMAC_CHECK_OK(dataset.open_tensors(contract, source));
  } else {
    if (contract.inputs.size() != 1 || !contract.inputs[0].is_picture()) {
      return make_error(ErrorCode::kInvalidInput, "pictures need a model with one input that has preprocess",
                        {}, source.path.string());
    }
    dataset.picture_input_ = contract.inputs[0].name;
    TARMAC_TRY(dataset.preprocessor_, Preprocessor::make(contract.inputs[0]));
    TARMAC_TRY(PictureList list, source.kind == DataKind::kFolder
                                     ? list_folder(source, contract.labels, contract.inputs[0].is_raw())
                                     : read_list(source, contract.labels));
    dataset.items_ = std::move(list.items);
    dataset.ignored_files_ = list.ignored_files;
  }
  if (source.samples) {
    const auto wanted = static_cast<std::size_t>(*source.samples);
    if (wanted > dataset.size()) {
      return make_error(ErrorCode::kInvalidInput,
                        "the contract wants " + std::to_string(wanted) + " samples, found " +
                            std::to_string(dataset.size()) + "; lower samples or add data",
                        {}, source.path.string());
    }
    dataset.items_ = choose_stratified(dataset.items_, wanted, source.seed);
  }
  if (source.labels == LabelSource::kMasks || source.labels == LabelSource::kBoxes) {
    TARMAC_TRY(dataset.truth_source_, TruthSource::open(contract, source, dataset.items_));
  }
  return dataset;
}

Result<std::map<std::string, Tensor>> Dataset::load(std::size_t index) const {
  const DataItem& item = items_[index];
  std::map<std::string, Tensor> sample;
  if (preprocessor_) {
    TARMAC_TRY(sample[picture_input_], preprocessor_->run(item.path));
    return sample;
  }
  for (const auto& [name, array] : arrays_) {
    TARMAC_TRY(sample[name], row_of(array, item.row));
  }
  return sample;
}

Result<Truth> Dataset::load_truth(std::size_t index) const {
  const DataItem& item = items_[index];
  if (truth_source_) return truth_source_->load(item);
  TARMAC_TRY(const Tensor row, row_of(truth_array_, item.row));
  if (is_floating_point(row.dtype())) return boxes_of(row);
  Truth truth;
  TARMAC_TRY(truth.label_map, row.reshaped({row.shape()[1], row.shape()[2]}));
  return truth;
}

Result<Sha256Digest> Dataset::digest(std::size_t index) const {
  if (preprocessor_) return sha256_file(items_[index].path);
  TARMAC_TRY(const auto sample, load(index));
  Sha256 hash;
  for (const auto& [name, tensor] : sample) hash.update(tensor.bytes());
  return hash.finish();
}

Result<Sha256Digest> Dataset::digest_all(Progress& progress) const {
  Sha256 hash;
  for (std::size_t i = 0; i < size(); ++i) {
    if (progress.cancelled()) return make_error(ErrorCode::kCancelled, "interrupted while hashing the data");
    TARMAC_TRY(const Sha256Digest one, digest(i));
    hash.update(one);
    progress.advance();
  }
  return hash.finish();
}

void Dataset::keep(std::size_t begin, std::size_t end) {
  assert(begin <= end && end <= items_.size());
  items_ = std::vector<DataItem>(items_.begin() + static_cast<std::ptrdiff_t>(begin),
                                 items_.begin() + static_cast<std::ptrdiff_t>(end));
}

DataSource to_data_source(const ReferenceSpec& reference) {
  DataSource source;
  source.kind = reference.inputs.extension() == ".txt" ? DataKind::kList : DataKind::kTensors;
  source.path = reference.inputs;
  source.root = reference.root;
  return source;
}

}  // namespace tarmac

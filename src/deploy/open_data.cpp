#include "deploy/open_data.h"

#include <algorithm>
#include <filesystem>

#include "base/log.h"
#include "contract/picture_list.h"
#include "graph/model_io.h"
#include "sequence/frame_run.h"
#include "verify/reference_engine.h"

namespace tarmac {
namespace {

namespace fs = std::filesystem;

/// The model's inputs as a contract whose data are ready tensors.
Contract contract_of(const Model& model) {
  Contract contract;
  for (const Value* input : model.graph->inputs()) {
    if (input->initializer() != nullptr) continue;
    InputSpec spec;
    spec.name = input->name();
    spec.dtype = input->type.dtype;
    const std::vector<Dim> dims = input->type.shape.value_or(std::vector<Dim>());
    for (std::size_t i = 0; i < dims.size(); ++i) {
      InputDim dim;
      dim.size = dims[i].size.value_or(0);
      if (!dims[i].known())
        dim.symbol = dims[i].symbol.empty() ? spec.name + "_" + std::to_string(i) : dims[i].symbol;
      spec.shape.push_back(dim);
    }
    contract.inputs.push_back(std::move(spec));
  }
  return contract;
}

Status check_names(const Contract& contract, const Model& model) {
  for (const InputSpec& input : contract.inputs) {
    const Value* value = model.graph->find(input.name);
    if (value != nullptr && value->is_input()) continue;
    std::string names;
    for (const Value* known : model.graph->inputs()) names += (names.empty() ? "" : ", ") + known->name();
    return make_error(
        ErrorCode::kInvalidInput,
        "the contract describes input '" + input.name + "', but the model's inputs are " + names, {},
        contract.file.string());
  }
  return {};
}

/// Whether the folder is of arrays, a file each, and not of pictures.
bool holds_tensor_files(const fs::path& folder) {
  DataSource source;
  source.path = folder;
  return list_folder(source, {}, FolderFiles::kNpy).ok() || list_folder(source, {}, FolderFiles::kNpz).ok();
}

Result<DataSource> source_of(const DataRequest& request, const Contract& contract) {
  if (request.data.empty()) {
    if (contract.calibration) return *contract.calibration;
    return make_error(ErrorCode::kUsage, "the contract names no calibration data; add --data DIR or FILE.npz",
                      {}, contract.file.string());
  }
  DataSource source;
  source.path = request.data;
  std::error_code ignored;
  if (!fs::exists(source.path, ignored)) {
    return make_error(ErrorCode::kNotFound, "there is no data of this name; check --data", {}, request.data);
  }
  const std::string extension = source.path.extension().string();
  if (fs::is_directory(source.path, ignored)) {
    source.kind = DataKind::kFolder;
  } else if (extension == ".npz" || extension == ".npy") {
    source.kind = DataKind::kTensors;
  } else if (extension == ".txt") {
    source.kind = DataKind::kList;
  } else if (has_video_extension(source.path)) {
    source.kind = DataKind::kVideo;
  } else {
    return make_error(ErrorCode::kUsage,
                      "expected a folder of pictures or .npy, .npz, .npy, a list (.txt) or a video", {},
                      request.data);
  }
  const bool tensors = source.kind == DataKind::kTensors ||
                       (source.kind == DataKind::kFolder && holds_tensor_files(source.path));
  if (!tensors && request.contract.empty()) {
    return make_error(ErrorCode::kUsage,
                      "pictures need --contract deploy.yaml, which says how they become inputs", {},
                      request.data);
  }
  return source;
}

}  // namespace

Result<std::unique_ptr<OpenData>> OpenData::open(const DataRequest& request, const Model& model) {
  if (!request.given())
    return make_error(ErrorCode::kUsage,
                      "no data given; add --data DIR or FILE.npz, or --contract deploy.yaml");
  std::unique_ptr<OpenData> data(new OpenData);
  if (request.contract.empty()) {
    data->contract_ = contract_of(model);
  } else {
    ContractOptions options;
    options.files_must_exist = request.data.empty();
    TARMAC_TRY(data->contract_, load_contract(request.contract, options));
    TARMAC_CHECK_OK(check_names(data->contract_, model));
    if (!state_of(data->contract_).empty()) data->model_ = clone_model(model);
  }
  TARMAC_TRY(data->source_, source_of(request, data->contract_));
  DataSource& source = data->source_;
  if (request.samples > 0) source.samples = request.samples;
  if (request.seed) source.seed = *request.seed;
  TARMAC_TRY(Dataset dataset, Dataset::open(data->contract_, source));
  if (!source.samples && request.default_samples > 0) dataset.choose(request.default_samples, source.seed);
  data->dataset_ = std::make_unique<Dataset>(std::move(dataset));
  if (data->dataset_->ignored_files() > 0) {
    log(LogLevel::kInfo, data->path() + ": passed over " + std::to_string(data->dataset_->ignored_files()) +
                             " files that are no samples");
  }
  return data;
}

std::size_t OpenData::effective_batch(std::size_t batch_size) const {
  if (contract_.sequence || dataset_->holds_whole_inputs()) return 1;
  for (const InputSpec& input : contract_.inputs) {
    if (!input.shape.empty() && input.shape.front().fixed())
      return static_cast<std::size_t>(input.shape.front().size);
  }
  return batch_size;
}

std::size_t OpenData::batch_count(std::size_t batch_size) const {
  const std::size_t size = effective_batch(batch_size);
  return (samples() + size - 1) / size;
}

Status OpenData::check_no_evaluation_data(Progress& progress) const {
  if (!contract_.evaluation_data) return {};
  std::error_code ignored;
  if (!fs::exists(contract_.evaluation_data->path, ignored)) {
    log(LogLevel::kInfo, "the contract's evaluation data is not there, so nothing is compared with it");
    return {};
  }
  TARMAC_TRY(const Dataset evaluation, Dataset::open(contract_, *contract_.evaluation_data));
  return check_disjoint(*dataset_, evaluation, progress);
}

Result<BatchSource> OpenData::batches(std::size_t batch_size, std::size_t limit) const {
  TARMAC_TRY(const CalibrationSource source, complete_batches(batch_size));
  std::size_t left = limit == 0 ? samples() : limit;
  return BatchSource([source, left]() mutable -> Result<std::optional<std::map<std::string, Tensor>>> {
    if (left == 0) return std::optional<std::map<std::string, Tensor>>();
    TARMAC_TRY(auto batch, source());
    if (!batch) return std::optional<std::map<std::string, Tensor>>();
    left -= std::min(left, batch->samples);
    return std::optional(std::move(batch->inputs));
  });
}

Result<CalibrationSource> OpenData::complete_batches(std::size_t batch_size) const {
  TARMAC_TRY(CalibrationSource source, calibration_batches(batch_size));
  const std::vector<StateSpec> states = state_of(contract_);
  if (states.empty()) return source;
  TARMAC_TRY(Target* const engine, reference_target());
  TARMAC_TRY(auto opened, StateRecorder::open(states, model_, *engine, no_progress()));
  const auto recorder = std::make_shared<StateRecorder>(std::move(opened));
  return CalibrationSource(
      [source = std::move(source), recorder]() -> Result<std::optional<CalibrationBatch>> {
        TARMAC_TRY(auto batch, source());
        if (batch) TARMAC_CHECK_OK(recorder->complete(batch->inputs, batch->starts_scene));
        return batch;
      });
}

Result<CalibrationSource> OpenData::calibration_batches(std::size_t batch_size) const {
  BatchOptions options;
  options.batch_size = effective_batch(batch_size);
  TARMAC_TRY(auto opened, BatchReader::open(contract_, *dataset_, options));
  const std::shared_ptr<BatchReader> reader = std::move(opened);
  return CalibrationSource(
      [reader, warned = std::size_t{0}]() mutable -> Result<std::optional<CalibrationBatch>> {
        TARMAC_TRY(auto batch, reader->next());
        for (; warned < reader->unreadable().size(); ++warned)
          log(LogLevel::kWarning, "left out: " + reader->unreadable()[warned].str());
        if (!batch) return std::optional<CalibrationBatch>();
        return std::optional(calibration_batch(*std::move(batch)));
      });
}

Result<std::string> OpenData::digest(Progress& progress) const {
  TARMAC_TRY(const Sha256Digest digest, dataset_->digest_all(progress));
  return to_hex(digest);
}

}  // namespace tarmac

#include "cli/bench/frame_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/file.h"
#include "base/log.h"
#include "cli/args/input_files.h"
#include "cli/bench/input_shapes.h"
#include "cli/run/meaning.h"
#include "contract/dataset.h"
#include "runtime/inputs.h"

namespace tarmac::cli {
namespace {

namespace fs = std::filesystem;
using FilesByInput = std::map<std::string, std::vector<fs::path>>;

constexpr std::size_t kMostFrames = 64;
constexpr std::uint64_t kMostPictureBytes = std::uint64_t{256} << 20U;

Result<TensorSpec> spec_of(const Session& session, const std::string& input) {
  std::string names;
  for (const TensorSpec& spec : session.inputs()) {
    if (spec.name == input) return spec;
    names += (names.empty() ? "" : ", ") + spec.name;
  }
  return make_error(
      ErrorCode::kInvalidInput,
      fmt::format("the contract describes input '{}', but the model's inputs are {}", input, names));
}

/// The first size of an input where the model fixes it, else what was asked for, else one.
std::int64_t batch_of(const TensorSpec& input, std::int64_t asked) {
  if (input.shape && !input.shape->empty()) {
    if (const auto* size = std::get_if<std::int64_t>(&input.shape->front())) return *size;
  }
  return std::max<std::int64_t>(1, asked);
}

/// Several tensors with a first axis of 1 as one.
Result<Tensor> stack(const std::vector<Tensor>& parts, const std::string& input) {
  if (parts.size() == 1) return parts.front();
  const Tensor& first = parts.front();
  Shape shape = first.shape();
  for (const Tensor& part : parts) {
    if (part.shape().empty() || part.shape().front() != 1 || part.shape() != first.shape()) {
      return make_error(
          ErrorCode::kUsage,
          fmt::format("a batch of {} for input '{}' needs values of one shape with a first size of "
                      "1, found {} and {}; leave --batch out or give such files",
                      parts.size(), input, tarmac::to_string(first.shape()),
                      tarmac::to_string(part.shape())));
    }
  }
  shape.front() = static_cast<std::int64_t>(parts.size());
  TARMAC_TRY(Tensor whole, Tensor::allocate(first.dtype(), shape));
  std::byte* to = whole.mutable_bytes().data();
  for (const Tensor& part : parts) {
    std::memcpy(to, part.bytes().data(), part.bytes().size());
    to += part.bytes().size();
  }
  return whole;
}

/// Values of successive frames: `batch` each, beginning anew after the last.
Result<std::vector<Tensor>> in_batches(const std::vector<Tensor>& values, std::int64_t batch,
                                       const std::string& input) {
  if (values.front().shape().empty() || values.front().shape().front() == batch) return values;
  std::vector<Tensor> batches;
  const auto size = static_cast<std::size_t>(batch);
  for (std::size_t begin = 0; begin == 0 || begin + size <= values.size(); begin += size) {
    std::vector<Tensor> parts;
    for (std::size_t i = 0; i < size; ++i) parts.push_back(values[(begin + i) % values.size()]);
    TARMAC_TRY(batches.emplace_back(), stack(parts, input));
  }
  return batches;
}

Result<std::vector<std::byte>> read_bytes(const fs::path& path) {
  TARMAC_TRY(const auto file, MappedFile::open(path));
  return std::vector<std::byte>(file->bytes().begin(), file->bytes().end());
}

}  // namespace

Result<std::shared_ptr<const FrameSource>> FrameSource::make(const BenchArgs& args, const std::string& model,
                                                             const Session& session, std::int64_t batch) {
  std::shared_ptr<FrameSource> source(new FrameSource);
  source->samples_ = batch;
  TARMAC_CHECK_OK(check_batch(session.inputs(), batch));
  TARMAC_TRY(Meaning meaning, find_meaning(model, args.contract, session));
  source->preprocessors_ = std::move(meaning.preprocessors);
  if (!args.inputs.empty()) {
    TARMAC_TRY(auto runs, plan_runs(args.inputs, session.inputs()));
    runs.resize(std::min(runs.size(), kMostFrames));
    FilesByInput files;
    for (const RunInputs& run : runs) {
      for (const auto& [input, file] : run.files) files[input].push_back(file);
    }
    TARMAC_CHECK_OK(source->take_files(files, session, batch));
    source->origin_ = fmt::format("values from {} file{}", runs.size(), runs.size() == 1 ? "" : "s");
  } else if (!args.contract.empty() && meaning.contract) {
    TARMAC_CHECK_OK(source->take_dataset(*meaning.contract, session, batch));
  }
  TARMAC_CHECK_OK(source->make_up_rest(args, model, session, batch));
  return std::shared_ptr<const FrameSource>(std::move(source));
}

Status FrameSource::take_files(const FilesByInput& files, const Session& session, std::int64_t batch) {
  for (const auto& [input, paths] : files) {
    TARMAC_TRY(const TensorSpec spec, spec_of(session, input));
    const std::int64_t size = batch_of(spec, batch);
    const auto preprocessor = preprocessors_.find(input);
    if (preprocessor != preprocessors_.end() && preprocessor->second.reads(paths.front())) {
      Pictures& pictures = pictures_[input];
      pictures.batch = size;
      std::uint64_t bytes = 0;
      for (const fs::path& path : paths) {
        pictures.paths.push_back(path);
        TARMAC_TRY(pictures.files.emplace_back(), read_bytes(path));
        bytes += pictures.files.back().size();
        if (bytes > kMostPictureBytes) break;
      }
      samples_ = size;
      frames_ =
          std::max(frames_, std::max<std::size_t>(1, pictures.files.size() / static_cast<std::size_t>(size)));
      continue;
    }
    std::map<fs::path, Tensor> read;  // an input with one file has it in every run
    std::vector<Tensor> values;
    for (const fs::path& path : paths) {
      if (!read.contains(path)) {
        TARMAC_TRY(read[path], read_input(spec, path, preprocessors_));
      }
      values.push_back(read[path]);
    }
    TARMAC_TRY(ready_[input], in_batches(values, size, input));
    frames_ = std::max(frames_, ready_[input].size());
  }
  return {};
}

Status FrameSource::take_dataset(const Contract& contract, const Session& session, std::int64_t batch) {
  const auto& wanted = contract.calibration ? contract.calibration : contract.evaluation_data;
  std::error_code ignored;
  if (!wanted || !fs::exists(wanted->path, ignored)) {
    log(LogLevel::kWarning,
        "the contract's data is not here, so inputs are made up and only inference is timed");
    return {};
  }
  DataSource few = *wanted;
  few.samples.reset();
  TARMAC_TRY(const Dataset dataset, Dataset::open(contract, few));
  const std::size_t count = std::min(dataset.size(), kMostFrames);
  std::map<std::string, std::vector<Tensor>> values;
  FilesByInput pictures;
  for (std::size_t i = 0; i < count; ++i) {
    const DataItem& item = dataset.items()[i];
    if (item.row < 0 && preprocessors_.size() == 1) {
      pictures[preprocessors_.begin()->first].push_back(item.path);
      continue;
    }
    TARMAC_TRY(const auto sample, dataset.load(i));
    for (const auto& [input, tensor] : sample) values[input].push_back(tensor);
  }
  TARMAC_CHECK_OK(take_files(pictures, session, batch));
  for (const auto& [input, tensors] : values) {
    TARMAC_TRY(const TensorSpec spec, spec_of(session, input));
    const std::int64_t size = dataset.holds_whole_inputs() ? 1 : batch_of(spec, batch);
    TARMAC_TRY(ready_[input], in_batches(tensors, size, input));
    frames_ = std::max(frames_, ready_[input].size());
  }
  origin_ = fmt::format("{} sample{} of {}", count, count == 1 ? "" : "s", wanted->path.string());
  return {};
}

Status FrameSource::make_up_rest(const BenchArgs& args, const std::string& model, const Session& session,
                                 std::int64_t batch) {
  std::vector<TensorInfo> infos;
  for (const TensorSpec& spec : session.inputs()) {
    if (!pictures_.contains(spec.name) && !ready_.contains(spec.name)) infos.push_back(tensor_info(spec));
  }
  if (infos.empty()) return {};
  TARMAC_TRY(const ShapeChoice choice, choose_shapes(args.shapes, infos, session.plan(), batch));
  TARMAC_TRY(const auto ranges, ranges_of_indices(model, infos));
  TARMAC_TRY(auto tensors, random_inputs(infos, choice, 1, ranges));
  for (auto& [input, tensor] : tensors) ready_[input] = {std::move(tensor)};
  return {};
}

Status FrameSource::preprocess(std::size_t index, NamedTensors& inputs) const {
  for (const auto& [input, pictures] : pictures_) {
    const Preprocessor& preprocessor = preprocessors_.find(input)->second;
    std::vector<Tensor> parts;
    parts.reserve(static_cast<std::size_t>(pictures.batch));
    for (std::int64_t i = 0; i < pictures.batch; ++i) {
      const std::size_t at = index * static_cast<std::size_t>(pictures.batch) + static_cast<std::size_t>(i);
      const std::size_t file = at % pictures.files.size();
      auto value = preprocessor.run_encoded(pictures.files[file]);
      if (!value) {
        value.error().context = pictures.paths[file].string();
        return std::move(value).error();
      }
      parts.push_back(*std::move(value));
    }
    TARMAC_TRY(inputs[input], stack(parts, input));
  }
  return {};
}

void FrameSource::take_ready(std::size_t index, NamedTensors& inputs) const {
  for (const auto& [input, tensors] : ready_) inputs[input] = tensors[index % tensors.size()];
}

}  // namespace tarmac::cli

#include "runtime/session_preprocess.h"

#include <chrono>

namespace tarmac {
namespace {

Result<const Preprocessor*> find_preprocessor(const SessionModel& model, const std::string& input) {
  const auto found = model.opened.preprocessors.find(input);
  if (found != model.opened.preprocessors.end()) return &found->second;
  return make_error(ErrorCode::kUsage,
                    "nothing says how a picture becomes input '" + input +
                        "': open a plan whose contract has preprocessing for it, or give a tensor");
}

template <typename Body>
auto timed(const SessionModel& model, const Body& body) {
  const Span span(model.tracer.get(), "preprocess");
  const auto begin = std::chrono::steady_clock::now();
  auto result = body();
  model.metrics->preprocess_time.add(
      std::chrono::nanoseconds(std::chrono::steady_clock::now() - begin).count());
  return result;
}

/// The bytes of sample `index`.
Result<std::span<std::byte>> slice_of(Tensor& tensor, DType dtype, std::int64_t index) {
  if (!tensor.writable() || tensor.dtype() != dtype || tensor.shape().empty()) {
    return make_error(ErrorCode::kInvalidInput, std::string("expected a writable tensor of ") +
                                                    to_string(dtype) +
                                                    " with samples along its first axis, found " +
                                                    (tensor.writable() ? "" : "one that is not writable, ") +
                                                    to_string(tensor.dtype()) + to_string(tensor.shape()));
  }
  const std::int64_t samples = tensor.shape().front();
  if (index < 0 || index >= samples) {
    return make_error(ErrorCode::kInvalidInput, "found sample " + std::to_string(index) +
                                                    " of a tensor with " + std::to_string(samples));
  }
  const std::span<std::byte> bytes = tensor.mutable_bytes();
  const std::size_t one = bytes.size() / static_cast<std::size_t>(samples);
  return bytes.subspan(static_cast<std::size_t>(index) * one, one);
}

}  // namespace

Result<Tensor> preprocess(const SessionModel& model, const std::string& input,
                          const std::filesystem::path& picture) {
  TARMAC_TRY(const Preprocessor* preprocessor, find_preprocessor(model, input));
  return timed(model, [&] { return preprocessor->run(picture); });
}

Result<Tensor> preprocess(const SessionModel& model, const std::string& input, const CameraFrame& frame) {
  TARMAC_TRY(const Preprocessor* preprocessor, find_preprocessor(model, input));
  return timed(model, [&] { return preprocessor->run(frame); });
}

Status preprocess_into(const SessionModel& model, const std::string& input, const CameraFrame& frame,
                       Tensor& tensor, std::int64_t index) {
  TARMAC_TRY(const Preprocessor* preprocessor, find_preprocessor(model, input));
  TARMAC_TRY(const std::span<std::byte> slice, slice_of(tensor, preprocessor->dtype(), index));
  return timed(model, [&] { return preprocessor->run_into(frame, slice); });
}

}  // namespace tarmac

#include "verify/faults.h"

#include <cstring>
#include <numeric>
#include <random>

namespace tarmac {
namespace {

/// A tensor as blocks of slices that lie one after another.
struct Slices {
  std::size_t blocks = 1;
  std::size_t count = 1;
  std::size_t bytes = 0;  ///< of one
};

Result<Slices> slices_of(const FaultSpec& fault, const Batch& batch, const Tensor& tensor) {
  const auto axis = static_cast<std::size_t>(*fault.axis);
  const auto wrong = [&](const std::string& what) {
    return make_error(ErrorCode::kInvalidInput, what, fault.input);
  };
  if (axis >= tensor.shape().size())
    return wrong("robustness names axis " + std::to_string(axis) + ", the data is " +
                 to_string(tensor.shape()));
  if (axis == 0 && !batch.whole)
    return wrong(
        "robustness names axis 0, along which the samples of a batch stand; name an axis of the sample");
  Slices slices;
  for (std::size_t i = 0; i < axis; ++i) slices.blocks *= static_cast<std::size_t>(tensor.shape()[i]);
  slices.count = static_cast<std::size_t>(tensor.shape()[axis]);
  const std::size_t all = slices.blocks * slices.count;
  if (bit_width(tensor.dtype()) % 8 != 0 || all == 0)
    return wrong("robustness cannot take slices of " + std::string(to_string(tensor.dtype())) + " " +
                 to_string(tensor.shape()));
  slices.bytes = tensor.bytes().size() / all;
  return slices;
}

}  // namespace

std::string to_string(const FaultSpec& fault) {
  std::string text = to_string(fault.kind);
  if (!fault.input.empty()) text += " " + fault.input;
  if (fault.kind == FaultKind::kLate)
    return text + " by " + std::to_string(fault.frames) + (fault.frames == 1 ? " frame" : " frames");
  if (!fault.axis) return text;
  text += "[axis " + std::to_string(*fault.axis);
  return text + (fault.kind == FaultKind::kDrop ? ": " + std::to_string(fault.index) + "]" : "]");
}

Status FaultInjector::apply(Batch& batch) {
  if (fault_.kind == FaultKind::kNeverReset || fault_.kind == FaultKind::kAlwaysReset) {
    batch.starts_scene = fault_.kind == FaultKind::kAlwaysReset;
    return {};
  }
  const auto found = batch.inputs.find(fault_.input);
  if (found == batch.inputs.end())
    return make_error(ErrorCode::kNotFound, "robustness names an input that the data does not have",
                      fault_.input);
  switch (fault_.kind) {
    case FaultKind::kDrop:
      return drop(batch, found->second);
    case FaultKind::kLate:
      return delay(batch, found->second);
    default:
      return shuffle(batch, found->second);
  }
}

Status FaultInjector::drop(const Batch& batch, Tensor& tensor) const {
  TARMAC_TRY(Tensor dropped, tensor.clone());
  const auto bytes = dropped.mutable_bytes();
  if (!fault_.axis) {
    std::memset(bytes.data(), 0, bytes.size());
    tensor = std::move(dropped);
    return {};
  }
  TARMAC_TRY(const Slices slices, slices_of(fault_, batch, tensor));
  const auto index = static_cast<std::size_t>(fault_.index);
  if (index >= slices.count) {
    return make_error(ErrorCode::kInvalidInput,
                      "robustness drops slice " + std::to_string(index) + " of axis " +
                          std::to_string(*fault_.axis) + ", the data is " + to_string(tensor.shape()),
                      fault_.input);
  }
  for (std::size_t block = 0; block < slices.blocks; ++block)
    std::memset(bytes.data() + (block * slices.count + index) * slices.bytes, 0, slices.bytes);
  tensor = std::move(dropped);
  return {};
}

Status FaultInjector::delay(const Batch& batch, Tensor& tensor) {
  if (batch.starts_scene) waiting_.clear();
  waiting_.push_back(tensor);
  if (waiting_.size() > static_cast<std::size_t>(fault_.frames) + 1) waiting_.pop_front();
  tensor = waiting_.front();
  return {};
}

Status FaultInjector::shuffle(const Batch& batch, Tensor& tensor) {
  TARMAC_TRY(const Slices slices, slices_of(fault_, batch, tensor));
  if (slices.count < 2) {
    return make_error(ErrorCode::kInvalidInput,
                      "robustness shuffles axis " + std::to_string(*fault_.axis) + ", the data is " +
                          to_string(tensor.shape()) + ": one slice alone has no other order",
                      fault_.input);
  }
  if (order_.size() != slices.count) {
    order_.resize(slices.count);
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    // As in choose_scenes(): the engine and the remainder are the same in every library.
    std::mt19937_64 random(fault_.seed);
    for (std::size_t i = slices.count - 1; i > 0; --i) std::swap(order_[i], order_[random() % i]);
  }
  TARMAC_TRY(Tensor shuffled, tensor.clone());
  const std::span<std::byte> to = shuffled.mutable_bytes();
  const std::span<const std::byte> from = tensor.bytes();
  for (std::size_t block = 0; block < slices.blocks; ++block) {
    const std::size_t first = block * slices.count;
    for (std::size_t i = 0; i < slices.count; ++i)
      std::memcpy(to.data() + (first + i) * slices.bytes, from.data() + (first + order_[i]) * slices.bytes,
                  slices.bytes);
  }
  tensor = std::move(shuffled);
  return {};
}

}  // namespace tarmac

// Between C's plain memory and Tensor.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "tarmac/model.h"
#include "tarmac/tarmac_c.h"
#include "tarmac/tensor.h"

namespace tarmac::capi {

/// A view of the caller's memory, writable where `writable`. Errors: kUsage (NULL), kInvalidInput (dtype,
/// sizes that do not fit the shape).
Result<Tensor> to_tensor(const tarmac_tensor* tensor, bool writable);
/// Whether `made` is what to_tensor() would give, told without making one.
bool is_view_of(const Tensor& made, const tarmac_tensor& tensor);
/// Points to the tensor's shape and bytes.
tarmac_tensor to_c(const Tensor& tensor);

/// TensorSpecs as C reads them. Not movable: what it gives points into it.
class TensorInfos {
 public:
  explicit TensorInfos(const std::vector<TensorSpec>& specs);
  TensorInfos(const TensorInfos&) = delete;
  TensorInfos& operator=(const TensorInfos&) = delete;

  [[nodiscard]] const std::vector<tarmac_tensor_info>& infos() const { return infos_; }

 private:
  std::deque<TensorSpec> specs_;
  std::deque<std::vector<std::int64_t>> shapes_;
  std::vector<tarmac_tensor_info> infos_;
};

}  // namespace tarmac::capi

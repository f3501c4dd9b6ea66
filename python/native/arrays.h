// Tensors of the library and arrays of Python on the same memory.
#pragma once

#include "errors.h"
#include "tarmac/tensor.h"

namespace tarmac::python {

/// Borrows a dense array in the processor's memory and keeps its producer alive: numpy's, or anything with
/// __dlpack__. What is not dense is copied; lists and numbers are made arrays of `wanted` (kUndefined: as
/// numpy does). Strings are copied. Raises InvalidInputError.
Tensor to_tensor(nb::handle value, DType wanted = DType::kUndefined);
/// Borrows a dense array that can be written, nothing else. Raises InvalidInputError.
Tensor to_writable_tensor(nb::handle array);

/// A numpy array over the tensor's bytes, which `owner` keeps alive; strings are copied. Raises
/// UnsupportedError for elements smaller than a byte.
nb::object to_numpy(const Tensor& tensor, std::shared_ptr<const void> owner, bool writable);
/// The same, kept alive by what the tensor shares.
nb::object to_numpy(const Tensor& tensor, bool writable);

/// From numpy's name. Raises UsageError.
DType parse_dtype(const std::string& name);

}  // namespace tarmac::python

// The .npy format in memory, shared by the .npy and .npz readers and writers.
// Source: numpy.lib.format, versions 1.0 to 3.0.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "tarmac/tensor.h"

namespace tarmac {

struct NpyHeader {
  DType dtype = DType::kUndefined;
  bool big_endian = false;
  bool fortran_order = false;
  Shape shape;
  std::size_t data_offset = 0;  ///< Where the elements start.
};

/// Reads magic, version and the header's dictionary. Errors: kInvalidInput, kUnsupported (dtype).
Result<NpyHeader> parse_npy_header(std::span<const std::byte> bytes);

/// A whole .npy file; the tensor borrows `bytes` (kept alive by `owner`) when they are little-endian in C
/// order.
Result<Tensor> parse_npy(std::span<const std::byte> bytes, std::shared_ptr<const void> owner);

/// Magic, version 1.0 and dictionary, padded to a multiple of 64 bytes. Errors: kUnsupported (dtype).
Result<std::string> make_npy_header(DType dtype, const Shape& shape);

}  // namespace tarmac

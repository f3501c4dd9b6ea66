// Tensor files: .npy and .npz (NumPy format versions 1–3), ONNX TensorProto .pb.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "tarmac/tensor.h"

namespace tarmac {

/// Reads .npy: little- and big-endian, C and Fortran order; mapped, not copied, when it is little-endian C
/// order. Errors: kNotFound, kInvalidInput (says what the header holds), kUnsupported (object and structured
/// dtypes).
Result<Tensor> read_npy(const std::filesystem::path& path);

/// Writes .npy version 1.0 atomically. float16 as '<f2'; bfloat16, 8-bit floats and sub-byte types, which
/// NumPy lacks, are refused with kUnsupported.
Status write_npy(const std::filesystem::path& path, const Tensor& tensor);

/// Reads every array of an .npz (stored or deflated zip), by name without ".npy".
Result<std::map<std::string, Tensor>> read_npz(const std::filesystem::path& path);
/// Writes a stored (uncompressed) zip atomically; equal tensors make equal files. Errors: as write_npy(),
/// kInvalidInput when there is no tensor.
Status write_npz(const std::filesystem::path& path, const std::map<std::string, Tensor>& tensors);

/// Reads an ONNX TensorProto; its name goes to `name` when that is not null.
Result<Tensor> read_tensor_proto(const std::filesystem::path& path, std::string* name = nullptr);

/// By extension: .npy, .pb, or an .npz that holds exactly one array.
Result<Tensor> read_tensor(const std::filesystem::path& path);

}  // namespace tarmac

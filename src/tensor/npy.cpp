#include "tensor/npy.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

#include "base/file.h"
#include "tensor/io.h"

namespace tarmac {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors are kept little-endian");

/// Reverses each unit of `width` bytes in place.
void swap_bytes(std::span<std::byte> bytes, std::size_t width) {
  for (std::size_t i = 0; i < bytes.size(); i += width) {
    std::reverse(bytes.begin() + static_cast<std::ptrdiff_t>(i),
                 bytes.begin() + static_cast<std::ptrdiff_t>(i + width));
  }
}

/// Copies elements from column-major (first index fastest) to row-major order.
void copy_from_fortran(std::span<const std::byte> source, std::span<std::byte> target, const Shape& shape,
                       std::size_t width) {
  if (target.empty()) return;
  std::vector<std::size_t> strides(shape.size());  // in bytes of the source
  std::size_t stride = width;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    strides[axis] = stride;
    stride *= static_cast<std::size_t>(shape[axis]);
  }
  Shape index(shape.size(), 0);
  std::size_t from = 0;
  for (std::size_t to = 0; to < target.size(); to += width) {
    std::memcpy(target.data() + to, source.data() + from, width);
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      from += strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= strides[axis] * static_cast<std::size_t>(shape[axis]);
      index[axis] = 0;
    }
  }
}

Result<Tensor> with_context(Result<Tensor> result, const std::filesystem::path& path) {
  if (!result) result.error().context = path.string();
  return result;
}

}  // namespace

Result<Tensor> parse_npy(std::span<const std::byte> bytes, std::shared_ptr<const void> owner) {
  TARMAC_TRY(NpyHeader header, parse_npy_header(bytes));
  TARMAC_TRY(const std::size_t expected, size_bytes(header.dtype, header.shape));
  const auto elements = bytes.subspan(header.data_offset);
  if (elements.size() != expected) {
    return make_error(ErrorCode::kInvalidInput,
                      std::string("the .npy header says ") + to_string(header.dtype) + " " +
                          to_string(header.shape) + ", which takes " + std::to_string(expected) +
                          " bytes; the file holds " + std::to_string(elements.size()));
  }
  if (header.dtype == DType::kBool &&
      std::any_of(elements.begin(), elements.end(), [](std::byte value) { return value > std::byte{1}; })) {
    return make_error(ErrorCode::kInvalidInput, "the .npy file holds a bool that is neither 0 nor 1");
  }
  const bool transposed = header.fortran_order && header.shape.size() > 1;
  if (!transposed && !header.big_endian) {
    return Tensor::view(header.dtype, std::move(header.shape), elements, std::move(owner));
  }
  TARMAC_TRY(Tensor tensor, Tensor::allocate(header.dtype, header.shape));
  const auto target = tensor.mutable_bytes();
  const auto width = static_cast<std::size_t>(bit_width(header.dtype)) / 8;
  if (transposed) {
    copy_from_fortran(elements, target, header.shape, width);
  } else {
    std::copy(elements.begin(), elements.end(), target.begin());
  }
  const bool is_complex = header.dtype == DType::kComplex64 || header.dtype == DType::kComplex128;
  if (header.big_endian) swap_bytes(target, is_complex ? width / 2 : width);
  return tensor;
}

Result<Tensor> read_npy(const std::filesystem::path& path) {
  TARMAC_TRY(const auto file, MappedFile::open(path));
  return with_context(parse_npy(file->bytes(), file), path);
}

Status write_npy(const std::filesystem::path& path, const Tensor& tensor) {
  auto header = make_npy_header(tensor.dtype(), tensor.shape());
  if (!header) {
    header.error().context = path.string();
    return std::move(header).error();
  }
  TARMAC_TRY(AtomicFile file, AtomicFile::create(path));
  TARMAC_CHECK_OK(file.write(*header));
  TARMAC_CHECK_OK(file.write(tensor.bytes()));
  return file.commit();
}

}  // namespace tarmac

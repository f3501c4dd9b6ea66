#include "tensor/transpose.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace tarmac {
namespace {

/// An axis of the result: its size, and how far apart its elements lie in the source, in elements.
struct Axis {
  std::int64_t size = 1;
  std::int64_t stride = 1;
};

/// Axes of the result, those of size 1 left out, neighbours that lie together in the source merged.
std::vector<Axis> merged_axes(const Shape& shape, std::span<const std::int64_t> perm) {
  std::vector<std::int64_t> strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  std::vector<Axis> axes;
  for (const std::int64_t source : perm) {
    const Axis axis{shape[static_cast<std::size_t>(source)], strides[static_cast<std::size_t>(source)]};
    if (axis.size == 1) continue;
    if (!axes.empty() && axes.back().stride == axis.size * axis.stride) {
      axes.back() = {axes.back().size * axis.size, axis.stride};
    } else {
      axes.push_back(axis);
    }
  }
  return axes;
}

constexpr std::int64_t kTile = 32;  // a tile of 4-byte elements fits the first-level cache twice

/// rows × columns elements of W bytes: to[r][c] = from[r·row_stride + c·column_stride], tile by tile.
template <std::size_t W>
void copy_plane(const std::byte* from, Axis rows, Axis columns, std::byte* to, std::int64_t to_row_stride) {
  for (std::int64_t r0 = 0; r0 < rows.size; r0 += kTile) {
    for (std::int64_t c0 = 0; c0 < columns.size; c0 += kTile) {
      const std::int64_t r1 = std::min(r0 + kTile, rows.size);
      const std::int64_t c1 = std::min(c0 + kTile, columns.size);
      for (std::int64_t r = r0; r < r1; ++r) {
        const std::byte* source =
            from + (r * rows.stride + c0 * columns.stride) * static_cast<std::int64_t>(W);
        std::byte* target = to + (r * to_row_stride + c0) * static_cast<std::int64_t>(W);
        for (std::int64_t c = c0; c < c1; ++c) {
          std::memcpy(target, source, W);
          source += columns.stride * static_cast<std::int64_t>(W);
          target += W;
        }
      }
    }
  }
}

/// Walks all axes but the last and the one whose elements are adjacent in the source; those two make planes.
template <std::size_t W>
void copy_transposed(const std::byte* from, const std::vector<Axis>& axes, std::byte* to) {
  const std::size_t last = axes.size() - 1;
  std::vector<std::int64_t> to_strides(axes.size(), 1);
  for (std::size_t i = last; i > 0; --i) to_strides[i - 1] = to_strides[i] * axes[i].size;
  std::size_t adjacent = last;
  for (std::size_t i = 0; i < last; ++i) {
    if (axes[i].stride == 1) adjacent = i;
  }
  const Axis rows = adjacent == last ? Axis{} : axes[adjacent];
  std::vector<std::int64_t> index(axes.size(), 0);
  for (;;) {
    std::int64_t from_offset = 0;
    std::int64_t to_offset = 0;
    for (std::size_t i = 0; i < last; ++i) {
      from_offset += index[i] * axes[i].stride;
      to_offset += index[i] * to_strides[i];
    }
    copy_plane<W>(from + from_offset * static_cast<std::int64_t>(W), rows, axes[last],
                  to + to_offset * static_cast<std::int64_t>(W), to_strides[adjacent]);
    std::size_t i = last;
    while (i-- > 0) {
      if (i == adjacent) continue;
      if (++index[i] < axes[i].size) break;
      index[i] = 0;
    }
    if (i > last) return;  // wrapped below zero: every index came round
  }
}

bool is_permutation_of(std::span<const std::int64_t> perm, std::size_t rank) {
  std::vector<bool> seen(rank, false);
  for (const std::int64_t axis : perm) {
    if (axis < 0 || static_cast<std::size_t>(axis) >= rank || seen[static_cast<std::size_t>(axis)])
      return false;
    seen[static_cast<std::size_t>(axis)] = true;
  }
  return perm.size() == rank;
}

}  // namespace

Result<Tensor> transpose(const Tensor& tensor, std::span<const std::int64_t> perm) {
  if (!is_permutation_of(perm, tensor.shape().size())) {
    return make_error(ErrorCode::kInvalidInput, "transposing a tensor of shape " + to_string(tensor.shape()) +
                                                    " by " + to_string(Shape(perm.begin(), perm.end())) +
                                                    ", which is no permutation of its axes");
  }
  const int bits = bit_width(tensor.dtype());
  if (bits < 8) {
    return make_error(ErrorCode::kUnsupported,
                      std::string("transposing elements of type ") + to_string(tensor.dtype()));
  }
  Shape shape;
  for (const std::int64_t axis : perm) shape.push_back(tensor.shape()[static_cast<std::size_t>(axis)]);
  const std::vector<Axis> axes = merged_axes(tensor.shape(), perm);
  if (axes.size() < 2 || tensor.count() == 0) return tensor.reshaped(std::move(shape));
  TARMAC_TRY(Tensor result, Tensor::allocate(tensor.dtype(), std::move(shape)));
  const std::byte* from = tensor.bytes().data();
  std::byte* to = result.mutable_bytes().data();
  switch (bits) {
    case 8:
      copy_transposed<1>(from, axes, to);
      break;
    case 16:
      copy_transposed<2>(from, axes, to);
      break;
    case 32:
      copy_transposed<4>(from, axes, to);
      break;
    case 64:
      copy_transposed<8>(from, axes, to);
      break;
    default:
      copy_transposed<16>(from, axes, to);
      break;
  }
  return result;
}

}  // namespace tarmac

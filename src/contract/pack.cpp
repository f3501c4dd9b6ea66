#include "contract/pack.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "tensor/codec.h"

namespace tarmac {
namespace {

constexpr std::size_t kByteValues = 256;

template <typename T>
T saturate(double value) {
  const double rounded = std::nearbyint(value);
  return static_cast<T>(
      std::clamp<double>(rounded, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
}

template <typename T, typename Convert>
void fill(PackTable& table, const NormalizeStep& normalize, Convert convert) {
  table.elements.resize(normalize.mean.size() * kByteValues * sizeof(T));
  for (std::size_t c = 0; c < normalize.mean.size(); ++c) {
    for (std::size_t x = 0; x < kByteValues; ++x) {
      const double value = (static_cast<double>(x) * normalize.scale - normalize.mean[c]) / normalize.std[c];
      const T element = convert(value);
      std::memcpy(&table.elements[(c * kByteValues + x) * sizeof(T)], &element, sizeof(T));
    }
  }
}

/// T is an unsigned integer of the element's width: packing moves bits.
template <typename T, int kChannels>
void pack_as(const PictureView& pixels, const PackTable& table, Layout layout, bool reverse, std::byte* out) {
  const T* tables[kChannels];
  for (int c = 0; c < kChannels; ++c)
    tables[c] = reinterpret_cast<const T*>(table.elements.data()) + c * kByteValues;
  T* result = reinterpret_cast<T*>(out);
  const std::size_t plane = static_cast<std::size_t>(pixels.height) * static_cast<std::size_t>(pixels.width);
  const auto width = static_cast<std::size_t>(pixels.width);
  // In NHWC neighbours of a pixel are its channels, in NCHW they are `plane` apart.
  const std::size_t pixel_stride = layout == Layout::kNHWC ? kChannels : 1;
  const std::size_t channel_stride = layout == Layout::kNHWC ? 1 : plane;
  for (int y = 0; y < pixels.height; ++y) {
    const std::uint8_t* row = pixels.data + static_cast<std::size_t>(y) * pixels.row_bytes;
    T* to = result + static_cast<std::size_t>(y) * width * pixel_stride;
    for (std::size_t x = 0; x < width; ++x) {
      for (int c = 0; c < kChannels; ++c) {
        const int source = reverse ? kChannels - 1 - c : c;
        to[x * pixel_stride + static_cast<std::size_t>(c) * channel_stride] =
            tables[c][row[x * kChannels + source]];
      }
    }
  }
}

}  // namespace

PackTable make_pack_table(DType dtype, const NormalizeStep& normalize) {
  PackTable table{dtype, static_cast<int>(normalize.mean.size()), {}};
  switch (dtype) {
    case DType::kFloat16:
      fill<std::uint16_t>(table, normalize,
                          [](double value) { return float_to_half(static_cast<float>(value)); });
      break;
    case DType::kUint8:
      fill<std::uint8_t>(table, normalize, saturate<std::uint8_t>);
      break;
    case DType::kInt8:
      fill<std::int8_t>(table, normalize, saturate<std::int8_t>);
      break;
    default:
      fill<float>(table, normalize, [](double value) { return static_cast<float>(value); });
      break;
  }
  return table;
}

void pack(const PictureView& pixels, const PackTable& table, Layout layout, bool reverse, std::byte* out) {
  const bool gray = table.channels == 1;
  switch (bit_width(table.dtype)) {
    case 8:
      gray ? pack_as<std::uint8_t, 1>(pixels, table, layout, reverse, out)
           : pack_as<std::uint8_t, 3>(pixels, table, layout, reverse, out);
      break;
    case 16:
      gray ? pack_as<std::uint16_t, 1>(pixels, table, layout, reverse, out)
           : pack_as<std::uint16_t, 3>(pixels, table, layout, reverse, out);
      break;
    default:
      gray ? pack_as<std::uint32_t, 1>(pixels, table, layout, reverse, out)
           : pack_as<std::uint32_t, 3>(pixels, table, layout, reverse, out);
      break;
  }
}

}  // namespace tarmac

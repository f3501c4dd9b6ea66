#include "tensor/codec.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace tarmac {
namespace {

/// Layout of a float of at most 8 bits: sign (if any), exponent, mantissa, from the top.
/// Sources: OCP OFP8 and MX specifications; the FNUZ forms from "8-bit Numerical Formats for Deep Neural
/// Networks".
struct SmallFloat {
  enum class Special {
    kIeee,          // exponent all ones: infinity, or NaN
    kOnlyAllOnes,   // all bits but the sign set: NaN; no infinity
    kNegativeZero,  // the pattern of -0 is the only NaN; no infinity
    kNone,
  };
  int exponent_bits;
  int mantissa_bits;
  int bias;
  Special special;
};

double decode(unsigned bits, const SmallFloat& format) {
  const unsigned sign_bit = 1U << (format.exponent_bits + format.mantissa_bits);
  const unsigned magnitude = bits & (sign_bit - 1);
  const unsigned mantissa = magnitude & ((1U << format.mantissa_bits) - 1);
  const unsigned exponent = magnitude >> format.mantissa_bits;
  const bool negative = (bits & sign_bit) != 0;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  switch (format.special) {
    case SmallFloat::Special::kIeee:
      if (exponent == (1U << format.exponent_bits) - 1) {
        if (mantissa != 0) return nan;
        return negative ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
      }
      break;
    case SmallFloat::Special::kOnlyAllOnes:
      if (magnitude == sign_bit - 1) return nan;
      break;
    case SmallFloat::Special::kNegativeZero:
      if (bits == sign_bit) return nan;
      break;
    case SmallFloat::Special::kNone:
      break;
  }
  // Subnormals have the smallest exponent and no hidden one.
  const unsigned hidden = exponent == 0 ? 0 : 1U << format.mantissa_bits;
  const int power = static_cast<int>(exponent == 0 ? 1 : exponent) - format.bias - format.mantissa_bits;
  const double value = std::ldexp(static_cast<double>(hidden + mantissa), power);
  return negative ? -value : value;
}

double decode_e8m0(unsigned bits) {
  return bits == 0xff ? std::numeric_limits<double>::quiet_NaN()
                      : std::ldexp(1.0, static_cast<int>(bits) - 127);
}

/// The value of every bit pattern of a type of at most 8 bits.
std::array<double, 256> small_float_values(DType dtype) {
  using Special = SmallFloat::Special;
  SmallFloat format{};
  switch (dtype) {
    case DType::kFloat8E4M3FN:
      format = {4, 3, 7, Special::kOnlyAllOnes};
      break;
    case DType::kFloat8E4M3FNUZ:
      format = {4, 3, 8, Special::kNegativeZero};
      break;
    case DType::kFloat8E5M2:
      format = {5, 2, 15, Special::kIeee};
      break;
    case DType::kFloat8E5M2FNUZ:
      format = {5, 2, 16, Special::kNegativeZero};
      break;
    default:
      format = {2, 1, 1, Special::kNone};
      break;  // kFloat4E2M1
  }
  std::array<double, 256> values{};
  const unsigned patterns = 1U << bit_width(dtype);
  for (unsigned i = 0; i < patterns; ++i) {
    values[i] = dtype == DType::kFloat8E8M0 ? decode_e8m0(i) : decode(i, format);
  }
  return values;
}

/// Element `i` of a packed tensor of `bits`-wide unsigned fields, the first in the lowest bits.
unsigned packed_field(std::span<const std::byte> bytes, std::size_t i, unsigned bits) {
  const unsigned per_byte = 8 / bits;
  const unsigned shift = static_cast<unsigned>(i % per_byte) * bits;
  return (std::to_integer<unsigned>(bytes[i / per_byte]) >> shift) & ((1U << bits) - 1);
}

int sign_extend(unsigned field, unsigned bits) {
  const int value = static_cast<int>(field);
  return value >= 1 << (bits - 1) ? value - (1 << bits) : value;
}

template <typename T>
T load(std::span<const std::byte> bytes, std::size_t i) {
  T value;
  std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));  // the bytes may be unaligned
  return value;
}

/// Calls sink(index, value) for each element, with the value in a C++ type that holds it exactly.
template <typename Sink>
Status for_each_element(const Tensor& tensor, const Sink& sink) {
  const auto bytes = tensor.bytes();
  const auto count = static_cast<std::size_t>(tensor.count());
  const auto plain = [&]<typename T>(T) {
    for (std::size_t i = 0; i < count; ++i) sink(i, load<T>(bytes, i));
  };
  const auto width = static_cast<unsigned>(bit_width(tensor.dtype()));
  switch (tensor.dtype()) {
    case DType::kFloat32:
      plain(float{});
      return {};
    case DType::kFloat64:
      plain(double{});
      return {};
    case DType::kUint8:
      plain(std::uint8_t{});
      return {};
    case DType::kInt8:
      for (std::size_t i = 0; i < count; ++i) sink(i, static_cast<int>(load<std::int8_t>(bytes, i)));
      return {};
    case DType::kUint16:
      plain(std::uint16_t{});
      return {};
    case DType::kInt16:
      plain(std::int16_t{});
      return {};
    case DType::kUint32:
      plain(std::uint32_t{});
      return {};
    case DType::kInt32:
      plain(std::int32_t{});
      return {};
    case DType::kUint64:
      plain(std::uint64_t{});
      return {};
    case DType::kInt64:
      plain(std::int64_t{});
      return {};
    case DType::kBool:
      for (std::size_t i = 0; i < count; ++i)
        sink(i, static_cast<std::uint8_t>(load<std::uint8_t>(bytes, i) != 0));
      return {};
    case DType::kFloat16:
      for (std::size_t i = 0; i < count; ++i) sink(i, half_to_float(load<std::uint16_t>(bytes, i)));
      return {};
    case DType::kBFloat16:
      for (std::size_t i = 0; i < count; ++i) sink(i, bfloat16_to_float(load<std::uint16_t>(bytes, i)));
      return {};
    case DType::kFloat8E4M3FN:
    case DType::kFloat8E4M3FNUZ:
    case DType::kFloat8E5M2:
    case DType::kFloat8E5M2FNUZ:
    case DType::kFloat8E8M0:
    case DType::kFloat4E2M1: {
      const auto values = small_float_values(tensor.dtype());
      for (std::size_t i = 0; i < count; ++i) sink(i, values[packed_field(bytes, i, width)]);
      return {};
    }
    case DType::kUint4:
    case DType::kUint2:
      for (std::size_t i = 0; i < count; ++i) sink(i, packed_field(bytes, i, width));
      return {};
    case DType::kInt4:
    case DType::kInt2:
      for (std::size_t i = 0; i < count; ++i) sink(i, sign_extend(packed_field(bytes, i, width), width));
      return {};
    case DType::kUndefined:
    case DType::kString:
    case DType::kComplex64:
    case DType::kComplex128:
      break;
  }
  return make_error(ErrorCode::kUnsupported,
                    std::string("expected a tensor of real numbers, found ") + to_string(tensor.dtype()));
}

template <typename Out>
Result<std::vector<Out>> convert(const Tensor& tensor) {
  std::vector<Out> values(tensor.dtype() == DType::kString ? 0 : static_cast<std::size_t>(tensor.count()));
  TARMAC_CHECK_OK(
      for_each_element(tensor, [&](std::size_t i, auto value) { values[i] = static_cast<Out>(value); }));
  return values;
}

/// To float with round-to-odd, so that a second rounding to a narrower type gives the same bits as one from
/// double.
float to_float_round_to_odd(double value) {
  const auto nearest = static_cast<float>(value);
  const auto back = static_cast<double>(nearest);
  if (std::isnan(value) || std::isinf(nearest) || back == value) return nearest;
  auto bits = std::bit_cast<std::uint32_t>(nearest);
  if ((bits & 1U) == 0) bits = std::fabs(back) > std::fabs(value) ? bits - 1 : bits + 1;
  return std::bit_cast<float>(bits);
}

/// Nearest integer, ties to even, saturated to [low, high]; 0 for NaN.
template <typename T>
T saturate(double value, T low, T high) {
  if (std::isnan(value)) return 0;
  const double rounded = std::nearbyint(value);
  // >= : the double nearest to a 64-bit maximum lies above it.
  if (rounded >= static_cast<double>(high)) return high;
  if (rounded <= static_cast<double>(low)) return low;
  return static_cast<T>(rounded);
}

template <typename T, typename Convert>
void store_all(std::span<std::byte> bytes, const std::vector<double>& values, const Convert& to_element) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const T element = to_element(values[i]);
    std::memcpy(bytes.data() + i * sizeof(T), &element, sizeof(T));
  }
}

template <typename T>
void store_integers(std::span<std::byte> bytes, const std::vector<double>& values) {
  using Limits = std::numeric_limits<T>;
  store_all<T>(bytes, values, [](double value) { return saturate<T>(value, Limits::min(), Limits::max()); });
}

void store_packed(std::span<std::byte> bytes, const std::vector<double>& values, unsigned bits,
                  bool is_signed) {
  if (!bytes.empty()) std::memset(bytes.data(), 0, bytes.size());
  const int low = is_signed ? -(1 << (bits - 1)) : 0;
  const int high = low + (1 << bits) - 1;
  const unsigned per_byte = 8 / bits;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto field = static_cast<unsigned>(saturate(values[i], low, high)) & ((1U << bits) - 1);
    bytes[i / per_byte] |= static_cast<std::byte>(field << (i % per_byte * bits));
  }
}

}  // namespace

Result<std::vector<double>> to_doubles(const Tensor& tensor) { return convert<double>(tensor); }

Result<std::vector<float>> to_floats(const Tensor& tensor) { return convert<float>(tensor); }

Result<std::vector<std::int64_t>> to_int64s(const Tensor& tensor) {
  if (!is_integer(tensor.dtype()) && tensor.dtype() != DType::kBool) {
    return make_error(ErrorCode::kUnsupported,
                      std::string("expected a tensor of integers, found ") + to_string(tensor.dtype()));
  }
  if (tensor.dtype() == DType::kUint64) {
    for (std::size_t i = 0; i < static_cast<std::size_t>(tensor.count()); ++i) {
      if (load<std::uint64_t>(tensor.bytes(), i) > std::numeric_limits<std::int64_t>::max()) {
        return make_error(ErrorCode::kInvalidInput,
                          "element " + std::to_string(i) + " of a uint64 tensor lies above 2^63-1");
      }
    }
  }
  return convert<std::int64_t>(tensor);
}

Result<Tensor> from_doubles(DType dtype, Shape shape, const std::vector<double>& values) {
  TARMAC_TRY(const std::int64_t count, element_count(shape));
  if (static_cast<std::size_t>(count) != values.size()) {
    return make_error(ErrorCode::kInvalidInput, "shape " + to_string(shape) + " has " +
                                                    std::to_string(count) + " elements, found " +
                                                    std::to_string(values.size()) + " values");
  }
  if (!is_integer(dtype) && dtype != DType::kBool && dtype != DType::kFloat32 && dtype != DType::kFloat64 &&
      dtype != DType::kFloat16 && dtype != DType::kBFloat16) {
    return make_error(ErrorCode::kUnsupported,
                      std::string("cannot make a ") + to_string(dtype) +
                          " tensor from numbers; use an integer type, bool, or a float of 16 bits or more");
  }
  TARMAC_TRY(Tensor tensor, Tensor::allocate(dtype, std::move(shape)));
  const auto bytes = tensor.mutable_bytes();
  switch (dtype) {
    case DType::kFloat64:
      store_all<double>(bytes, values, [](double value) { return value; });
      break;
    case DType::kFloat32:
      store_all<float>(bytes, values, [](double value) { return static_cast<float>(value); });
      break;
    case DType::kFloat16:
      store_all<std::uint16_t>(bytes, values,
                               [](double value) { return float_to_half(to_float_round_to_odd(value)); });
      break;
    case DType::kBFloat16:
      store_all<std::uint16_t>(bytes, values,
                               [](double value) { return float_to_bfloat16(to_float_round_to_odd(value)); });
      break;
    case DType::kBool:
      store_all<std::uint8_t>(bytes, values,
                              [](double value) { return static_cast<std::uint8_t>(value != 0); });
      break;
    case DType::kUint8:
      store_integers<std::uint8_t>(bytes, values);
      break;
    case DType::kInt8:
      store_integers<std::int8_t>(bytes, values);
      break;
    case DType::kUint16:
      store_integers<std::uint16_t>(bytes, values);
      break;
    case DType::kInt16:
      store_integers<std::int16_t>(bytes, values);
      break;
    case DType::kUint32:
      store_integers<std::uint32_t>(bytes, values);
      break;
    case DType::kInt32:
      store_integers<std::int32_t>(bytes, values);
      break;
    case DType::kUint64:
      store_integers<std::uint64_t>(bytes, values);
      break;
    case DType::kInt64:
      store_integers<std::int64_t>(bytes, values);
      break;
    case DType::kInt4:
    case DType::kInt2:
      store_packed(bytes, values, static_cast<unsigned>(bit_width(dtype)), true);
      break;
    default:
      store_packed(bytes, values, static_cast<unsigned>(bit_width(dtype)), false);
      break;  // kUint4, kUint2
  }
  return tensor;
}

}  // namespace tarmac

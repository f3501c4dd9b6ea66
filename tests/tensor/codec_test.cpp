#include "tensor/codec.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

namespace tarmac {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// Reading of binary16 straight from its definition.
double half_by_definition(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  const int mantissa = bits & 1023;
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  if (exponent == 31) return mantissa != 0 ? kNan : sign * kInfinity;
  if (exponent == 0) return sign * std::ldexp(mantissa, -24);
  return sign * std::ldexp(1024 + mantissa, exponent - 25);
}

TEST(Half, EveryPatternDecodesAsDefinedAndComesBack) {
  for (unsigned i = 0; i <= 0xffff; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    const float value = half_to_float(bits);
    const double expected = half_by_definition(bits);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(value)) << i;
      ASSERT_TRUE(std::isnan(half_to_float(float_to_half(value)))) << i;
      continue;
    }
    ASSERT_EQ(value, expected) << i;
    ASSERT_EQ(std::signbit(value), (bits & 0x8000) != 0) << i;
    ASSERT_EQ(float_to_half(value), bits) << i;
  }
}

TEST(Half, RoundsToNearestEvenBetweenEveryPairOfNeighbours) {
  for (std::uint16_t low = 0; low < 0x7bff; ++low) {
    const auto high = static_cast<std::uint16_t>(low + 1);
    const float middle = (half_to_float(low) + half_to_float(high)) / 2;  // exact: a float has 13 more bits
    const std::uint16_t even = (low & 1) == 0 ? low : high;
    ASSERT_EQ(float_to_half(middle), even) << low;
    ASSERT_EQ(float_to_half(std::nextafter(middle, 0.0F)), low) << low;
    ASSERT_EQ(float_to_half(std::nextafter(middle, 1e9F)), high) << low;
    ASSERT_EQ(float_to_half(-middle), even | 0x8000) << low;
  }
}

TEST(Half, OverflowsToInfinityFromHalfAStepAboveTheLargest) {
  EXPECT_EQ(float_to_half(65504.0F), 0x7bff);
  EXPECT_EQ(float_to_half(std::nextafter(65520.0F, 0.0F)), 0x7bff);
  EXPECT_EQ(float_to_half(65520.0F), 0x7c00);
  EXPECT_EQ(float_to_half(-std::numeric_limits<float>::max()), 0xfc00);
  EXPECT_EQ(float_to_half(std::numeric_limits<float>::denorm_min()), 0);
  EXPECT_EQ(float_to_half(-0.0F), 0x8000);
}

#ifdef __FLT16_MANT_DIG__
TEST(Half, AgreesWithTheCompilersOwnType) {
  std::mt19937 random(1);
  for (int i = 0; i < 1000000; ++i) {
    const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    if (std::isnan(value)) continue;
    ASSERT_EQ(float_to_half(value), std::bit_cast<std::uint16_t>(static_cast<_Float16>(value))) << value;
  }
}
#endif

TEST(BFloat16, EveryPatternComesBack) {
  for (unsigned i = 0; i <= 0xffff; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    const float value = bfloat16_to_float(bits);
    if (std::isnan(value)) {
      ASSERT_TRUE(std::isnan(bfloat16_to_float(float_to_bfloat16(value)))) << i;
    } else {
      ASSERT_EQ(float_to_bfloat16(value), bits) << i;
    }
  }
}

TEST(BFloat16, RoundsToNearestEven) {
  EXPECT_EQ(float_to_bfloat16(std::bit_cast<float>(0x3f808000U)), 0x3f80);  // tie, down to even
  EXPECT_EQ(float_to_bfloat16(std::bit_cast<float>(0x3f818000U)), 0x3f82);  // tie, up to even
  EXPECT_EQ(float_to_bfloat16(std::bit_cast<float>(0x3f808001U)), 0x3f81);
  EXPECT_EQ(float_to_bfloat16(std::numeric_limits<float>::max()), 0x7f80);
  // A NaN whose payload lies in the cut bits must not turn into infinity.
  EXPECT_TRUE(std::isnan(bfloat16_to_float(float_to_bfloat16(std::bit_cast<float>(0x7f800001U)))));
}

/// All bit patterns of a type of at most 8 bits, decoded.
std::vector<double> all_values(DType dtype) {
  const int bits = bit_width(dtype);
  const int per_byte = 8 / bits;
  std::vector<std::uint8_t> bytes;
  for (int pattern = 0; pattern < 1 << bits; pattern += per_byte) {
    unsigned packed = 0;
    for (int i = 0; i < per_byte; ++i) packed |= static_cast<unsigned>(pattern + i) << (i * bits);
    bytes.push_back(static_cast<std::uint8_t>(packed));
  }
  const auto tensor = Tensor::view(dtype, {1 << bits}, std::as_bytes(std::span(bytes)), nullptr);
  return *to_doubles(*tensor);
}

TEST(SmallFloat, E2M1HasItsSixteenValues) {
  EXPECT_EQ(all_values(DType::kFloat4E2M1),
            (std::vector<double>{0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6}));
}

TEST(SmallFloat, E8M0IsPowersOfTwo) {
  const auto values = all_values(DType::kFloat8E8M0);
  for (int i = 0; i < 255; ++i) EXPECT_EQ(values[static_cast<std::size_t>(i)], std::ldexp(1.0, i - 127));
  EXPECT_TRUE(std::isnan(values[255]));
}

// Landmarks from the OFP8 and FNUZ definitions: smallest subnormal, smallest normal, one, largest.
TEST(SmallFloat, EightBitFormatsHaveTheirLandmarks) {
  const auto e4m3fn = all_values(DType::kFloat8E4M3FN);
  EXPECT_EQ(e4m3fn[0x01], 0x1p-9);
  EXPECT_EQ(e4m3fn[0x08], 0x1p-6);
  EXPECT_EQ(e4m3fn[0x38], 1.0);
  EXPECT_EQ(e4m3fn[0x7e], 448.0);
  EXPECT_EQ(e4m3fn[0xfe], -448.0);
  EXPECT_TRUE(std::isnan(e4m3fn[0x7f]) && std::isnan(e4m3fn[0xff]));

  const auto e4m3fnuz = all_values(DType::kFloat8E4M3FNUZ);
  EXPECT_EQ(e4m3fnuz[0x01], 0x1p-10);
  EXPECT_EQ(e4m3fnuz[0x40], 1.0);
  EXPECT_EQ(e4m3fnuz[0x7f], 240.0);
  EXPECT_TRUE(std::isnan(e4m3fnuz[0x80]));

  const auto e5m2 = all_values(DType::kFloat8E5M2);
  EXPECT_EQ(e5m2[0x01], 0x1p-16);
  EXPECT_EQ(e5m2[0x3c], 1.0);
  EXPECT_EQ(e5m2[0x7b], 57344.0);
  EXPECT_EQ(e5m2[0x7c], kInfinity);
  EXPECT_EQ(e5m2[0xfc], -kInfinity);
  EXPECT_TRUE(std::isnan(e5m2[0x7d]) && std::isnan(e5m2[0xff]));

  const auto e5m2fnuz = all_values(DType::kFloat8E5M2FNUZ);
  EXPECT_EQ(e5m2fnuz[0x01], 0x1p-17);
  EXPECT_EQ(e5m2fnuz[0x40], 1.0);
  EXPECT_EQ(e5m2fnuz[0x7f], 57344.0);
  EXPECT_TRUE(std::isnan(e5m2fnuz[0x80]));
}

TEST(SmallFloat, E5M2IsTheUpperByteOfAHalf) {
  const auto values = all_values(DType::kFloat8E5M2);
  for (unsigned i = 0; i < 256; ++i) {
    const float half = half_to_float(static_cast<std::uint16_t>(i << 8));
    if (std::isnan(half)) continue;
    EXPECT_EQ(values[i], half) << i;
  }
}

TEST(SmallFloat, ValuesGrowWithTheirBitsAndNegativesMirror) {
  for (const DType dtype :
       {DType::kFloat8E4M3FN, DType::kFloat8E4M3FNUZ, DType::kFloat8E5M2, DType::kFloat8E5M2FNUZ}) {
    const auto values = all_values(dtype);
    for (std::size_t i = 1; i < 128; ++i) {
      if (std::isnan(values[i])) continue;
      EXPECT_GT(values[i], values[i - 1]) << to_string(dtype) << " " << i;
      EXPECT_EQ(values[i + 128], -values[i]) << to_string(dtype) << " " << i;
    }
  }
}

TEST(PackedIntegers, EveryPatternHasItsValueLowBitsFirst) {
  std::vector<double> expected(16);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(all_values(DType::kUint4), expected);
  for (std::size_t i = 8; i < 16; ++i) expected[i] -= 16;
  EXPECT_EQ(all_values(DType::kInt4), expected);
  EXPECT_EQ(all_values(DType::kUint2), (std::vector<double>{0, 1, 2, 3}));
  EXPECT_EQ(all_values(DType::kInt2), (std::vector<double>{0, 1, -2, -1}));
}

TEST(PackedIntegers, ComeBackFromDoublesAlsoInAHalfFilledByte) {
  for (const DType dtype : {DType::kInt4, DType::kUint4, DType::kInt2, DType::kUint2}) {
    const std::vector<double> values = {1, 0, 1, 1, 0};
    const auto tensor = from_doubles(dtype, {5}, values);
    ASSERT_TRUE(tensor.ok());
    EXPECT_EQ(*to_doubles(*tensor), values) << to_string(dtype);
  }
}

TEST(Codec, ReadsUnalignedBytes) {
  std::vector<std::byte> memory(1 + 3 * sizeof(double));
  const double values[] = {1.5, -2.0, 1e300};
  std::memcpy(memory.data() + 1, values, sizeof values);
  const auto tensor = Tensor::view(DType::kFloat64, {3}, std::span(memory).subspan(1), nullptr);
  EXPECT_EQ(*to_doubles(*tensor), (std::vector<double>{1.5, -2.0, 1e300}));
}

TEST(Codec, EveryNumberTypeComesBackFromDoubles) {
  for (const DType dtype : {DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kBFloat16, DType::kInt8,
                            DType::kInt16, DType::kInt32, DType::kInt64, DType::kUint8, DType::kUint16,
                            DType::kUint32, DType::kUint64, DType::kBool}) {
    const std::vector<double> values = {0, 1, 1, 0};
    const auto tensor = from_doubles(dtype, {2, 2}, values);
    ASSERT_TRUE(tensor.ok()) << to_string(dtype);
    EXPECT_EQ(*to_doubles(*tensor), values) << to_string(dtype);
    EXPECT_EQ(*to_floats(*tensor), (std::vector<float>{0, 1, 1, 0})) << to_string(dtype);
  }
}

TEST(Codec, IntegersRoundToEvenAndSaturate) {
  const std::vector<double> values = {0.5, 1.5, -0.5, 127.6, -1e9, kInfinity, kNan};
  EXPECT_EQ(*to_int64s(*from_doubles(DType::kInt8, {7}, values)),
            (std::vector<std::int64_t>{0, 2, 0, 127, -128, 127, 0}));
  EXPECT_EQ(*to_int64s(*from_doubles(DType::kUint8, {7}, values)),
            (std::vector<std::int64_t>{0, 2, 0, 128, 0, 255, 0}));
  EXPECT_EQ(*to_int64s(*from_doubles(DType::kInt64, {2}, {1e30, -1e30})),
            (std::vector<std::int64_t>{std::numeric_limits<std::int64_t>::max(),
                                       std::numeric_limits<std::int64_t>::min()}));
  EXPECT_EQ(*to_int64s(*from_doubles(DType::kInt4, {2}, {100, -100})), (std::vector<std::int64_t>{7, -8}));
}

TEST(Codec, DoublesRoundOnceToHalf) {
  // Just above the middle of 1 and its neighbour: rounding to float first would lose the excess and go to
  // even.
  const double value = 1 + 0x1p-11 + 0x1p-40;
  const auto tensor = from_doubles(DType::kFloat16, {2}, {value, -value});
  EXPECT_EQ(*to_doubles(*tensor), (std::vector<double>{1 + 0x1p-10, -1 - 0x1p-10}));
}

TEST(Codec, RefusesWhatItCannotConvert) {
  EXPECT_EQ(to_doubles(*Tensor::of_strings({1}, {"x"})).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(to_doubles(*Tensor::allocate(DType::kComplex64, {1})).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(to_doubles(Tensor()).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(to_int64s(Tensor::from<float>({1}, {1})).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(to_int64s(Tensor::from<std::uint64_t>({1}, {1ULL << 63U})).error().code,
            ErrorCode::kInvalidInput);
  EXPECT_EQ(from_doubles(DType::kFloat8E5M2, {1}, {1}).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(from_doubles(DType::kString, {1}, {1}).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(from_doubles(DType::kFloat32, {2}, {1}).error().code, ErrorCode::kInvalidInput);
}

}  // namespace
}  // namespace tarmac

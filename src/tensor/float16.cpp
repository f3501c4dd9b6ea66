// binary16 and bfloat16 in integer arithmetic: the same bits on every processor, with or without F16C.
#include <bit>

#include "tensor/codec.h"

namespace tarmac {
namespace {

constexpr std::uint32_t kFloatInfinity = 0x7f800000;
constexpr std::uint32_t kHalfOverflow =
    0x477ff000;  // 65520, halfway between the largest half and the next step
constexpr std::uint32_t kHalfMinNormal = 0x38800000;     // 2^-14
constexpr std::uint32_t kHalfRebias = (127 - 15) << 23;  // float's exponent bias less half's

}  // namespace

std::uint16_t float_to_half(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16) & 0x8000U;
  std::uint32_t magnitude = bits & 0x7fffffffU;
  if (magnitude > kFloatInfinity)
    return static_cast<std::uint16_t>(sign | 0x7e00U | ((magnitude >> 13) & 0x1ffU));
  if (magnitude >= kHalfOverflow) return static_cast<std::uint16_t>(sign | 0x7c00U);
  if (magnitude < kHalfMinNormal) {
    // A float in [0.5, 1) has steps of 2^-24, a subnormal half's: the addition rounds to nearest even for us.
    const auto shifted = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5F);
    return static_cast<std::uint16_t>(sign | (shifted - std::bit_cast<std::uint32_t>(0.5F)));
  }
  magnitude += 0xfffU + ((magnitude >> 13) & 1U);  // half a step, less one when the kept bits are even
  return static_cast<std::uint16_t>(sign | ((magnitude - kHalfRebias) >> 13));
}

float half_to_float(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16;
  const std::uint32_t exponent = (bits >> 10) & 31U;
  const std::uint32_t mantissa = bits & 0x3ffU;
  if (exponent == 31) return std::bit_cast<float>(sign | kFloatInfinity | (mantissa << 13));
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24F;
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(magnitude));
  }
  return std::bit_cast<float>(sign | ((exponent << 23) + kHalfRebias) | (mantissa << 13));
}

std::uint16_t float_to_bfloat16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const bool is_nan = (bits & 0x7fffffffU) > kFloatInfinity;
  if (is_nan)
    return static_cast<std::uint16_t>((bits >> 16) |
                                      0x40U);  // quiet, so that cut bits cannot make it infinite
  return static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16);
}

float bfloat16_to_float(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

}  // namespace tarmac

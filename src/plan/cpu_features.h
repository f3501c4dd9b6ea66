// Instruction sets of this machine's processor that change what an engine does with a model.
#pragma once

#include <string>
#include <vector>

namespace tarmac {

/// Those of a fixed list (vector width, INT8 and BF16 dot products, matrix tiles) that this processor has;
/// names as in /proc/cpuinfo.
std::vector<std::string> cpu_features();

/// Whether products of 8-bit numbers are summed up in 32 bits. x86 processors without VNNI or AMX add pairs
/// of them in 16 bits, which saturate unless the weights have 7 bits.
bool sums_int8_exactly(const std::vector<std::string>& features);

/// How many bits INT8 weights may use on this processor: 8, or 7 where sums would saturate.
int int8_weight_bits();

/// What to tell about the latter.
inline constexpr const char* kSevenBitsNote =
    "this processor has no VNNI: sums of 8-bit products saturate, so weights have 7 bits";

}  // namespace tarmac

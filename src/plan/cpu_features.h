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

}  // namespace tarmac

// Instruction sets of this machine's processor that change what an engine does with a model.
#pragma once

#include <string>
#include <vector>

namespace tarmac {

/// Those of a fixed list (vector width, INT8 and BF16 dot products, matrix tiles) that this processor has;
/// names as in /proc/cpuinfo.
std::vector<std::string> cpu_features();

}  // namespace tarmac

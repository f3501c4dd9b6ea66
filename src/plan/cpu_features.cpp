#include "plan/cpu_features.h"

#include <algorithm>
#include <fstream>
#include <new>
#include <set>
#include <sstream>

namespace tarmac {

std::vector<std::string> cpu_features() {
  // The kernel's list, unlike CPUID, leaves out what the system has switched off. "Features" is its name on
  // Arm.
  std::set<std::string> present;
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (!line.starts_with("flags") && !line.starts_with("Features")) continue;
    std::istringstream words(line.substr(line.find(':') + 1));
    for (std::string word; words >> word;) present.insert(word);
    if (words.bad()) throw std::bad_alloc();
    break;
  }
  if (info.bad()) throw std::bad_alloc();  // which streams keep to themselves
  std::vector<std::string> features;
  for (const char* name :
       {"avx2", "fma", "avx_vnni", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16", "avx512_fp16",
        "amx_tile", "amx_int8", "amx_bf16", "asimd", "asimddp", "i8mm", "bf16", "sve"}) {
    if (present.contains(name)) features.emplace_back(name);
  }
  return features;
}

bool sums_int8_exactly(const std::vector<std::string>& features) {
  const auto has = [&](const char* name) {
    return std::find(features.begin(), features.end(), name) != features.end();
  };
  return !has("avx2") || has("avx_vnni") || has("avx512_vnni") || has("amx_int8");
}

int int8_weight_bits() { return sums_int8_exactly(cpu_features()) ? 8 : 7; }

}  // namespace tarmac

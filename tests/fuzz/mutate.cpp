#include "fuzz/mutate.h"

#include <algorithm>
#include <cstdlib>

namespace tarmac::test {

std::string mutate(std::string bytes, const std::vector<std::string>& seeds, std::mt19937& random) {
  const auto below = [&](std::size_t limit) { return limit == 0 ? 0 : random() % limit; };
  static const std::vector<std::string> kNumbers = {std::string(1, '\0'),
                                                    "\x01",
                                                    "\x7f",
                                                    "\x80\x01",
                                                    "\xff\x7f",
                                                    "\xff\xff\xff\xff\x0f",
                                                    "\xff\xff\xff\xff\x07",
                                                    "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
                                                    "\xff\xff\xff\xff\xff\xff\xff\xff\x7f"};
  for (std::size_t edits = 1 + below(4); edits > 0; --edits) {
    const std::size_t at = below(bytes.size());
    const std::size_t length = std::min(1 + below(16), bytes.size() - at);
    switch (below(6)) {
      case 0:
        bytes[at] = static_cast<char>(random());
        break;
      case 1:
        bytes.insert(at, kNumbers[below(kNumbers.size())]);
        break;
      case 2:
        bytes.replace(at, 1, kNumbers[below(kNumbers.size())]);
        break;
      case 3:
        bytes.erase(at, length);
        break;
      case 4:
        bytes.insert(at, bytes.substr(at, length));
        break;
      default: {
        const std::string& other = seeds[below(seeds.size())];
        bytes.replace(at, length, other.substr(below(other.size()), 1 + below(64)));
      }
    }
    if (bytes.empty()) bytes = seeds.front();
  }
  return bytes;
}

std::string flip_bits(std::string bytes, std::mt19937& random) {
  for (std::size_t flips = 1 + random() % 2; flips > 0; --flips) {
    char& byte = bytes[random() % bytes.size()];
    byte = static_cast<char>(static_cast<unsigned char>(byte) ^ (1U << random() % 8));
  }
  return bytes;
}

std::uint32_t number_from(const char* variable, std::uint32_t fallback) {
  const char* text = std::getenv(variable);
  return text != nullptr ? static_cast<std::uint32_t>(std::strtoul(text, nullptr, 10)) : fallback;
}

}  // namespace tarmac::test

// Damage to serialised models.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace tarmac::test {

/// One to four random edits: overwrite, insert, remove, repeat or take over a piece of another seed.
std::string mutate(std::string bytes, const std::vector<std::string>& seeds, std::mt19937& random);

/// One or two bits flipped: most models still load, with other attributes, sizes, names and operators.
std::string flip_bits(std::string bytes, std::mt19937& random);

/// The number in an environment variable, else `fallback`.
std::uint32_t number_from(const char* variable, std::uint32_t fallback);

}  // namespace tarmac::test

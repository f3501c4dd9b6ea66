// Damaged models are refused or are valid models; they never crash, hang or take memory they have no bytes
// for. TARMAC_FUZZ_RUNS=N makes the random part longer, TARMAC_FUZZ_SEED=N another one.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <random>

#include "fuzz/load_fuzz.h"
#include "fuzz/mutate.h"
#include "fuzz/seeds.h"

namespace tarmac::test {
namespace {

class LoadFuzz : public testing::Test {
 protected:
  /// Allocations that only a false size could ask for fail; a sanitizer's own memory map is larger than any
  /// limit.
  static void SetUpTestSuite() {
#ifndef __SANITIZE_ADDRESS__
    const rlimit limit{rlim_t{4} << 30U, RLIM_INFINITY};
    ASSERT_EQ(::setrlimit(RLIMIT_AS, &limit), 0);
#endif
  }
};

void load(const std::string& bytes) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

TEST_F(LoadFuzz, EveryPrefixOfAModelIsHandled) {
  for (const std::string& seed : seed_models()) {
    for (std::size_t size = 0; size <= seed.size(); ++size) load(seed.substr(0, size));
  }
}

TEST_F(LoadFuzz, EveryValueOfEveryByteOfASmallModelIsHandled) {
  const std::string seed = seed_models().front();
  for (std::size_t at = 0; at < seed.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      std::string damaged = seed;
      damaged[at] = static_cast<char>(value);
      load(damaged);
    }
  }
}

TEST_F(LoadFuzz, EveryBitOfEveryByteIsHandled) {
  for (const std::string& seed : seed_models()) {
    // Of the mapped values only the first and last bytes matter to the format.
    const std::size_t step = seed.size() > 2000 ? 7 : 1;
    for (std::size_t at = 0; at < seed.size(); at += step) {
      for (unsigned bit = 0; bit < 8; ++bit) {
        std::string damaged = seed;
        damaged[at] = static_cast<char>(static_cast<unsigned char>(damaged[at]) ^ (1U << bit));
        load(damaged);
      }
    }
  }
}

TEST_F(LoadFuzz, ThousandsOfRandomMutationsAreHandled) {
  const auto seeds = seed_models();
  std::mt19937 random(number_from("TARMAC_FUZZ_SEED", 20260101));
  const std::uint32_t runs = number_from("TARMAC_FUZZ_RUNS", 8000);
  for (std::uint32_t i = 0; i < runs; ++i) load(mutate(seeds[random() % seeds.size()], seeds, random));
}

}  // namespace
}  // namespace tarmac::test

#include "plan/cpu_features.h"

#include <gtest/gtest.h>

namespace tarmac::test {
namespace {

TEST(CpuFeatures, SayWhetherInt8ProductsSaturate) {
  EXPECT_FALSE(sums_int8_exactly({"avx2", "fma"}));
  EXPECT_FALSE(sums_int8_exactly({"avx2", "avx512f", "avx512bw"}));
  EXPECT_TRUE(sums_int8_exactly({"avx2", "avx_vnni"}));
  EXPECT_TRUE(sums_int8_exactly({"avx2", "avx512f", "avx512_vnni"}));
  EXPECT_TRUE(sums_int8_exactly({"asimd"}));
}

}  // namespace
}  // namespace tarmac::test

// The shipped example's contract, for tests on its real pictures.
#pragma once

#include <gtest/gtest.h>

#include "tarmac/contract.h"

namespace tarmac::test {

/// Loads examples/traffic_light/deploy.yaml; skips where `./dev demo` has not installed the pictures.
class TrafficLightExample : public testing::Test {
 protected:
  void SetUp() override {
    auto loaded =
        load_contract(std::filesystem::path(TARMAC_SOURCE_DIR) / "examples/traffic_light/deploy.yaml");
    if (!loaded && loaded.error().code == ErrorCode::kNotFound) {
      GTEST_SKIP() << "the example's pictures are not installed (./dev demo installs them): "
                   << loaded.error().str();
    }
    ASSERT_TRUE(loaded.ok()) << loaded.error().str();
    contract_ = *std::move(loaded);
  }

  Contract contract_;
};

}  // namespace tarmac::test

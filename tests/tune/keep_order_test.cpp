#include "tune/keep_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tarmac {
namespace {

using testing::ElementsAre;

GroupRow row(const std::string& node, std::optional<double> sensitivity, double snr_db, std::int64_t float_ns,
             std::int64_t int8_ns) {
  GroupRow made;
  made.node = node;
  made.sensitivity = sensitivity;
  made.snr_db = snr_db;
  made.float_ns = float_ns;
  made.int8_ns = int8_ns;
  return made;
}

TEST(KeepOrder, TakesPointsOverLatencyLostThenNoise) {
  const std::vector<GroupRow> rows = {
      row("quiet", {}, 40, 1000, 500),
      row("costly", 0.2, 10, 4000, 1000),
      row("cheap", 0.1, 12, 1000, 500),
      row("harmless", 0.0, 5, 1000, 500),
  };
  EXPECT_THAT(keep_order(rows), ElementsAre(2, 1, 3, 0));
}

TEST(KeepOrder, DoesNotPreferWhatIsFreeButHardlyHelps) {
  const std::vector<GroupRow> rows = {row("free", 0.001, 20, 10, 10), row("culprit", 0.5, 3, 10000, 5000)};
  EXPECT_THAT(keep_order(rows), ElementsAre(1, 0));
}

TEST(KeepOrder, PutsNoisyGroupsFirst) {
  const std::vector<GroupRow> rows = {row("a", {}, 30, 1, 1), row("b", {}, 3, 1, 1), row("c", {}, 10, 1, 1)};
  EXPECT_THAT(noise_order(rows), ElementsAre(1, 2, 0));
}

TEST(KeepOrder, ShowsCulpritsFirst) {
  std::vector<GroupRow> rows = {row("unmeasured", {}, 30, 1, 1), row("measured", 0.01, 20, 1, 1),
                                row("kept", 0.005, 9, 1, 1)};
  rows[2].int8 = false;
  put_culprits_first(rows);
  EXPECT_EQ(rows[0].node, "kept");
  EXPECT_EQ(rows[1].node, "measured");
}

}  // namespace
}  // namespace tarmac

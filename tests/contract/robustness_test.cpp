// The contract's section of faults.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tarmac/contract.h"

namespace tarmac {
namespace {

using testing::HasSubstr;

constexpr const char* kContract = R"(version: 1
name: bev
model: bev.onnx
inputs:
  images: {shape: [batch, 6, 3, 8, 8], dtype: uint8}
  lidar: {shape: [batch, points, 4], dtype: float32}
data:
  evaluation: {npz: frames.npz}
evaluation: {metric: agreement}
sequence: {scenes: array, state: [{output: bev, input: prev_bev}]}
)";

Result<Contract> with(const std::string& robustness, const std::string& cut = {}) {
  std::string text = kContract;
  if (!cut.empty()) text.replace(text.find(cut), cut.size(), "");
  ContractOptions options;
  options.files_must_exist = false;
  return parse_contract(text + "robustness: " + robustness, "deploy.yaml", options);
}

TEST(Robustness, IsReadFromTheContract) {
  const auto contract = with(R"(
  - never_reset
  - always_reset
  - drop: {input: images, axis: 1, index: 2}
  - drop: {input: lidar}
  - late: {input: images}
  - late: {input: images, frames: 3}
  - shuffle: {input: images, axis: 1, seed: 7}
)");
  ASSERT_TRUE(contract.ok()) << contract.error().str();
  const std::vector<FaultSpec> expected = {
      {.kind = FaultKind::kNeverReset},
      {.kind = FaultKind::kAlwaysReset},
      {.kind = FaultKind::kDrop, .input = "images", .axis = 1, .index = 2},
      {.kind = FaultKind::kDrop, .input = "lidar"},
      {.kind = FaultKind::kLate, .input = "images", .frames = 1},
      {.kind = FaultKind::kLate, .input = "images", .frames = 3},
      {.kind = FaultKind::kShuffle, .input = "images", .axis = 1, .seed = 7},
  };
  EXPECT_EQ(contract->robustness, expected);
}

TEST(Robustness, IsRefusedWithTheLineWhereItMakesNoSense) {
  const auto refused = [](const std::string& section, const std::string& text, const std::string& cut = {}) {
    const auto contract = with(section, cut);
    ASSERT_FALSE(contract.ok()) << section;
    EXPECT_THAT(contract.error().str(), HasSubstr(text)) << section;
  };
  refused("[never_rest]\n", "deploy.yaml:11: robustness[0]: found 'never_rest'; did you mean 'never_reset'?");
  refused("[drop]\n", "found 'drop'; expected drop: {input: NAME, …}");
  refused("never_reset\n", "expected a list of faults");
  refused("[never_reset, never_reset]\n", "robustness[1]: found this fault again");
  refused("[{dorp: {input: images}}]\n", "found the unknown key 'dorp'; did you mean 'drop'?");
  refused("[{drop: {input: images}, late: {input: images}}]\n", "several faults in one entry");
  refused("[{drop: {input: image}}]\n",
          "robustness[0].drop.input: found 'image'; did you mean 'images'? allowed: images, lidar");
  refused("[{drop: {axis: 1, index: 2}}]\n", "the key 'input' is missing");
  refused("[{drop: {input: images, axis: 1}}]\n", "axis and index go together");
  refused("[{drop: {input: images, axis: 5, index: 0}}]\n", "found '5'; expected a whole number from 0 to 4");
  refused("[{drop: {input: images, axis: 0, index: 0}}]\n", "axis 0 of 'images' is the batch");
  refused("[{drop: {input: images, axis: 1, index: 6}}]\n", "found '6'; expected a whole number from 0 to 5");
  refused("[{late: {input: images, frames: 0}}]\n", "found '0'; expected a whole number from 1 to 1000");
  refused("[{shuffle: {input: images}}]\n", "the key 'axis' is missing");
  refused("[{shuffle: {input: images, axis: 1, seed: -1}}]\n", "seed: found '-1'");
  refused("[never_reset]\n", "never_reset needs sequence.state", ", state: [{output: bev, input: prev_bev}]");
  const std::string sequence = "sequence: {scenes: array, state: [{output: bev, input: prev_bev}]}\n";
  refused("[always_reset]\n", "always_reset needs sequence.state", sequence);
  refused("[{late: {input: images}}]\n", "late needs the section 'sequence'", sequence);
  refused("[never_reset]\n", "robustness needs 'evaluation'", "evaluation: {metric: agreement}\n");
}

}  // namespace
}  // namespace tarmac

// Ctrl-C: nothing torn, exit status 130.
#include <gmock/gmock.h>

#include "cli/child_program.h"
#include "cli/scene.h"

namespace tarmac::test {
namespace {

using ::testing::HasSubstr;

/// Makes each sample 1024 times as large before it computes, so that calibration takes minutes.
constexpr const char* kSlowModel = R"(<ir_version: 8, opset_import: ["" : 17]>
slow (float[batch, 3, 8, 8] image) => (float[batch, 3] scores)
<int64[4] repeats = {1, 1, 32, 32}, float[3, 3, 1, 1] w = {2, 0, 0, 0, 2, 0, 0, 0, 2}> {
  wide = Tile(image, repeats)
  mixed = Conv(wide, w)
  pooled = GlobalAveragePool(mixed)
  scores = Flatten(pooled)
})";

class InterruptedQuantisation : public ::testing::Test {
 protected:
  void SetUp() override {
    expect_ok(save_model(model(kSlowModel), scene_.path("slow.onnx")));
    arguments_ = {"quantize",  scene_.path("slow.onnx"),
                  "-o",        scene_.path("q.onnx"),
                  "--mode",    "static",
                  "--data",    scene_.samples("data.npz", 20'000, false),
                  "--samples", "20000",
                  "--json"};
    entries_ = scene_.folder().entries();
    options_.interrupt_after_ms = 1000;
  }
  Scene scene_;
  std::vector<std::string> arguments_;
  std::size_t entries_ = 0;
  ProgramOptions options_;
};

TEST_F(InterruptedQuantisation, LeavesNoFileAndSaysSo) {
  const ProgramResult result = run_tarmac(arguments_, options_);
  EXPECT_EQ(result.exit_status, 130) << result.err;
  EXPECT_EQ(result.json()["error"]["code"], "cancelled");
  EXPECT_EQ(scene_.folder().entries(), entries_);
}

TEST_F(InterruptedQuantisation, EndsAtOnceWhenInterruptedTwice) {
  options_.interrupts = 2;
  const ProgramResult result = run_tarmac(arguments_, options_);
  EXPECT_EQ(result.exit_status, 130) << result.err;
  EXPECT_EQ(scene_.folder().entries(), entries_);
}

TEST(Interrupt, StopsABenchmark) {
  const Scene scene;
  ProgramOptions options;
  options.interrupt_after_ms = 1500;
  const ProgramResult result = run_tarmac({"bench", scene.model(), "--duration", "600"}, options);
  EXPECT_EQ(result.exit_status, 130);
  EXPECT_THAT(result.err, HasSubstr("interrupted"));
}

}  // namespace
}  // namespace tarmac::test

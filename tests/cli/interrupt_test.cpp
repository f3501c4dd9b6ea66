// Ctrl-C: nothing torn, exit status 130.
#include <gmock/gmock.h>

#include <filesystem>

#include "cli/program.h"
#include "cli/scene.h"

namespace tarmac::test {
namespace {

using ::testing::HasSubstr;

/// Data that keep a calibration busy for many seconds.
constexpr std::int64_t kManySamples = 60'000;

TEST(Interrupt, OneStopsAQuantisationWithoutAFile) {
  const Scene scene;
  const std::string data = scene.samples("data.npz", kManySamples, false);
  const std::size_t before = scene.folder().entries();
  ProgramOptions options;
  options.interrupt_after_ms = 1000;
  const ProgramResult result = run_tarmac(
      {"quantize", scene.model(), "-o", scene.path("q.onnx"), "--mode", "static", "--data", data, "--json"},
      options);
  EXPECT_EQ(result.exit_status, 130) << result.err;
  EXPECT_EQ(result.json()["error"]["code"], "cancelled");
  EXPECT_EQ(scene.folder().entries(), before);
}

TEST(Interrupt, ASecondOneEndsTheProgramAtOnce) {
  const Scene scene;
  const std::string data = scene.samples("data.npz", kManySamples, false);
  ProgramOptions options;
  options.interrupt_after_ms = 1000;
  options.interrupts = 2;
  const ProgramResult result = run_tarmac(
      {"quantize", scene.model(), "-o", scene.path("q.onnx"), "--mode", "static", "--data", data}, options);
  EXPECT_EQ(result.exit_status, 130) << result.err;
  EXPECT_FALSE(std::filesystem::exists(scene.path("q.onnx")));
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

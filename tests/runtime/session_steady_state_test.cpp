// What a session allocates once its inputs, shapes and threads are known: nothing.
#include <gtest/gtest.h>

#include <semaphore>

#include "runtime/example_models.h"
#include "support/allocations.h"
#include "support/temporary_folder.h"
#include "tarmac/tarmac.h"

namespace tarmac {
namespace {

using std::chrono::hours;
using std::chrono::steady_clock;

/// The sum of all frames so far, and twice that.
Model running_sum(const std::string& batch) {
  return test::model_of("<ir_version: 8, opset_import: [\"\" : 17]> g (float[" + batch + ", 4] x, float[" +
                        batch + ", 4] before) => (float[" + batch + ", 4] y, float[" + batch +
                        R"(, 4] after) {
      after = Add(x, before)
      y = Add(after, after)
    })");
}

class SteadyStateTest : public testing::TestWithParam<std::string> {
 protected:
  Session open(const Model& model) {
    const auto path = folder / "model.onnx";
    EXPECT_TRUE(save_model(model, path).ok());
    SessionOptions options;
    options.target = GetParam();
    options.state = {{.output = "after", .input = "before", .first = {}}};
    options.tracer = *Tracer::create(64);
    auto session = Session::open(path, options);
    EXPECT_TRUE(session.ok()) << session.error().str();
    return *std::move(session);
  }

  /// Everything that is done frame by frame, `times` times, with two tensors in turn.
  void run_frames(Session& session, int times) {
    for (int i = 0; i < times; ++i) {
      good &= session.set_input("x", frames[i % 2]).ok();
      good &= session.run().ok();
      good &= session.read_output("y", result).ok();
      good &= session.run({.deadline = steady_clock::now() + hours(1)}).ok();
      session.run_async([this](const Status& status) {
        good &= status.ok();
        done.release();
      });
      done.acquire();
      good &= session.run_async().get().ok();
      good &= session.read_output("y", result).ok();
      if (i % 4 == 0) session.reset_scene();
    }
  }

  void expect_none_of_ours(const Model& model) {
    Session session = open(model);
    run_frames(session, 8);
    const auto counts = [&] {
      const test::CountAllocations counter;
      run_frames(session, 100);
      return counter.counts();
    }();
    EXPECT_TRUE(good);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)  // whose frames hide who asked
    if (GetParam() != "null") return;
#endif
    EXPECT_EQ(counts.ours, 0U);
    if (GetParam() == "null") {
      EXPECT_EQ(counts.engines, 0U);
    }
    RecordProperty("engine_allocations_per_100_frames", static_cast<int>(counts.engines));
  }

  test::TemporaryFolder folder;
  const Tensor frames[2] = {Tensor::from(Shape{1, 4}, std::vector<float>{1, 2, 3, 4}),
                            Tensor::from(Shape{1, 4}, std::vector<float>{5, 6, 7, 8})};
  Tensor result;
  std::binary_semaphore done{0};
  bool good = true;
};

TEST_P(SteadyStateTest, AllocatesNothingOfOursWithFixedShapes) { expect_none_of_ours(running_sum("1")); }

TEST_P(SteadyStateTest, AllocatesNothingOfOursWithOpenShapes) { expect_none_of_ours(running_sum("n")); }

std::vector<std::string> available_targets() {
  auto names = test::computing_targets();
  names.emplace_back("null");
  return names;
}

INSTANTIATE_TEST_SUITE_P(Targets, SteadyStateTest, testing::ValuesIn(available_targets()),
                         [](const auto& test) { return test.param; });

TEST(CountAllocationsTest, SeesEveryKind) {
  const test::CountAllocations counter;
  int* volatile one = new int(1);  // volatile: else the compiler leaves both out
  delete one;
  { const auto tensor = Tensor::allocate(DType::kFloat32, {1}); }
  EXPECT_GE(counter.counts().ours, 4U);
}

}  // namespace
}  // namespace tarmac

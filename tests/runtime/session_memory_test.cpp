// What a session does when there is no memory, whichever allocation it is that fails.
#include <gtest/gtest.h>

#include "base/edge.h"
#include "plan/plan_file.h"
#include "runtime/example_models.h"
#include "support/allocations.h"
#include "support/temporary_folder.h"
#include "tarmac/tarmac.h"

namespace tarmac {
namespace {

constexpr const char* kContract = R"(version: 1
name: sum
model: sum.onnx
inputs:
  x:
    shape: [n, 4]
    dtype: float32
sequence:
  state:
    - {output: after, input: before}
)";

/// nlohmann's destructor puts what it holds into a vector first, and being a destructor it cannot say that
/// this failed.
constexpr const char* kJsonDestructor = "json_value7destroy";
/// protobuf 3.21 loses the element that it was adding when its list cannot grow.
constexpr const char* kProtobuf = "google8protobuf";

class SessionMemoryTest : public testing::Test {
 protected:
  static PlanContent content_of(const Model& model) {
    PlanContent content;
    content.model = &model;
    content.info.target = "null";
    content.info.engine_version = (*find_target("null"))->version();
    content.info.profiles = {{.shapes = {{"x", {.min = {1, 4}, .opt = {2, 4}, .max = {4, 4}}}},
                              .buckets = {{{"x", {1, 4}}}, {{"x", {2, 4}}}}}};
    return content;
  }

  void SetUp() override {
    const Model with_state = test::model_of(R"(
      <ir_version: 8, opset_import: ["" : 17]>
      g (float[n, 4] x, float[1, 4] before) => (float[n, 4] y, float[1, 4] after)
      <float[4] b = {1, 2, 3, 4}> { after = Add(before, b) y = Add(x, b) })");
    PlanContent content = content_of(with_state);
    content.contract_text = kContract;
    const Status written = write_plan(state_plan, content);
    ASSERT_TRUE(written.ok()) << written.error().str();
    const Model without = test::affine_model();
    ASSERT_TRUE(write_plan(batch_plan, content_of(without)).ok());
  }

  /// From the file to the first results.
  Status run_frames() {
    TARMAC_TRY(Session session, Session::open(state_plan));
    TARMAC_TRY(Session clone, session.clone_context());
    for (Session* each : {&session, &clone}) {
      TARMAC_CHECK_OK(each->set_input("x", input));
      TARMAC_CHECK_OK(each->run());
      TARMAC_TRY(const Tensor result, each->output("y"));
      TARMAC_CHECK_OK(each->run({.deadline = std::chrono::steady_clock::now() + std::chrono::hours(1)}));
      std::future<Status> future = each->run_async();
      if (!future.valid()) return out_of_memory();
      TARMAC_CHECK_OK(future.get());
    }
    return {};
  }

  Status run_items() {
    TARMAC_TRY(Session session, Session::open(batch_plan));
    TARMAC_TRY(const auto results, session.run_batch(items, 2));
    return {};
  }

  /// Refuses one allocation after the other until `use` has not come to it.
  template <typename Use>
  static void expect_an_error_for_each(Use use) {
    const Status before = use();  // what is made once in a process is there then
    ASSERT_TRUE(before.ok()) << before.error().str();
    std::uint64_t n = 1;
    for (bool reached = true; reached; ++n) {
      Status status;
      {
        const test::RefuseAllocation refuse(n, {kJsonDestructor, kProtobuf});
        status = use();
        reached = test::RefuseAllocation::reached();
      }
      if (status) continue;  // whoever asked could do without
      ASSERT_TRUE(reached) << status.error().str();
      ASSERT_EQ(status.error().code, ErrorCode::kResourceExhausted)
          << "allocation " << n << ": " << status.error().str();
    }
    EXPECT_GT(n, 100U);
    RecordProperty("allocations", static_cast<int>(n));
    const Status after = use();
    EXPECT_TRUE(after.ok()) << after.error().str();
  }

  test::TemporaryFolder folder;
  std::filesystem::path state_plan = folder / "state.plan";
  std::filesystem::path batch_plan = folder / "batch.plan";
  const Tensor input = Tensor::from(Shape{2, 4}, std::vector<float>(8));
  const std::vector<NamedTensors> items{3, {{"x", Tensor::from(Shape{1, 4}, std::vector<float>(4))}}};
};

TEST_F(SessionMemoryTest, SaysSoWhicheverAllocationFailsUpToTheFirstFrames) {
  expect_an_error_for_each([this] { return run_frames(); });
}

TEST_F(SessionMemoryTest, SaysSoWhicheverAllocationFailsForABatch) {
  expect_an_error_for_each([this] { return run_items(); });
}

}  // namespace
}  // namespace tarmac

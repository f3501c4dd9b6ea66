// Temporal state, buckets and batches of sessions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plan/plan_file.h"
#include "runtime/example_models.h"
#include "support/temporary_folder.h"
#include "tarmac/tarmac.h"
#include "tensor/io.h"

namespace tarmac {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<float> values(const Result<Tensor>& tensor) {
  EXPECT_TRUE(tensor.ok()) << tensor.error().str();
  const auto data = tensor->data<float>();
  return {data.begin(), data.end()};
}

class SessionFramesTest : public testing::TestWithParam<std::string> {
 protected:
  Result<Session> open(const Model& model, SessionOptions options = {}) {
    const auto path = folder / "model.onnx";
    EXPECT_TRUE(save_model(model, path).ok());
    options.target = GetParam();
    return Session::open(path, options);
  }

  Result<Session> open_plan(const Model& model, std::vector<PlanProfile> profiles,
                            const SessionOptions& options = {}) {
    PlanContent content;
    content.model = &model;
    content.info.target = GetParam();
    content.info.engine_version = (*find_target(GetParam()))->version();
    content.info.profiles = std::move(profiles);
    const auto path = folder / "model.plan";
    const Status written = write_plan(path, content);
    EXPECT_TRUE(written.ok()) << written.error().str();
    return Session::open(path, options);
  }

  test::TemporaryFolder folder;
};

/// after = before + x, for frames of any length or of two values.
Model running_sum(const std::string& length) {
  return test::model_of("<ir_version: 8, opset_import: [\"\" : 17]> g (float[1, " + length +
                        "] x, float[1, " + length + "] before) => (float[1, " + length +
                        "] after, float[1, " + length +
                        "] twice) { after = Add(x, before) twice = Add(after, after) }");
}

TEST_P(SessionFramesTest, CarriesStateFromRunToRunAndBeginsAnew) {
  for (const char* length : {"2", "n"}) {
    SessionOptions options;
    const Tensor first = Tensor::from(Shape{1, 2}, std::vector<float>{10, 20});
    ASSERT_TRUE(write_npy(folder / "first.npy", first).ok());
    options.state = {{.output = "after", .input = "before", .first = folder / "first.npy"}};
    auto session = open(running_sum(length), options);
    ASSERT_TRUE(session.ok()) << session.error().str();
    ASSERT_EQ(session->inputs().size(), 1U);  // the state is not the caller's to give
    ASSERT_TRUE(session->set_input("x", Tensor::from(Shape{1, 2}, std::vector<float>{1, 2})).ok());
    for (int scene = 0; scene < 2; ++scene) {
      ASSERT_TRUE(session->run().ok());
      EXPECT_THAT(values(session->output("after")), ElementsAre(11, 22)) << length;
      ASSERT_TRUE(session->run().ok());
      ASSERT_TRUE(session->run().ok());
      EXPECT_THAT(values(session->output("after")), ElementsAre(13, 26)) << length;
      EXPECT_THAT(values(session->output("twice")), ElementsAre(26, 52)) << length;
      session->reset_scene();
    }
    EXPECT_EQ(session->metrics().scenes, 2U);
    auto clone = session->clone_context();
    ASSERT_TRUE(clone.ok()) << clone.error().str();
    ASSERT_TRUE(clone->set_input("x", Tensor::from(Shape{1, 2}, std::vector<float>{1, 1})).ok());
    ASSERT_TRUE(session->run().ok());
    ASSERT_TRUE(clone->run().ok());
    EXPECT_THAT(values(clone->output("after")), ElementsAre(11, 21)) << length;
    EXPECT_EQ(session->metrics().contexts, 2);
  }
}

TEST_P(SessionFramesTest, KeepsStateToItself) {
  SessionOptions options;
  options.state = {{.output = "after", .input = "before", .first = {}}};
  auto session = open(running_sum("2"), options);
  ASSERT_TRUE(session.ok()) << session.error().str();
  const Tensor two = *Tensor::allocate(DType::kFloat32, {1, 2});
  EXPECT_EQ(session->set_input("before", two).error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(session->set_output("after", two).error().code, ErrorCode::kInvalidInput);
  EXPECT_TRUE(session->set_output("twice", two).ok());
  options.state[0].input = "absent";
  EXPECT_EQ(open(running_sum("2"), options).error().code, ErrorCode::kInvalidInput);
}

TEST_P(SessionFramesTest, TakesStateAndItsFirstValuesFromThePlanAlone) {
  const Model model = running_sum("2");
  PlanContent content;
  content.model = &model;
  content.contract_text = R"(version: 1
name: sum
model: sum.onnx
inputs:
  x:
    shape: [1, 2]
    dtype: float32
sequence:
  state:
    - {output: after, input: before, first: first.npy}
)";
  content.contract_folder = folder.path();
  content.info.target = GetParam();
  content.info.engine_version = (*find_target(GetParam()))->version();
  const Tensor first = Tensor::from(Shape{1, 2}, std::vector<float>{10, 20});
  ASSERT_TRUE(write_npy(folder / "first.npy", first).ok());
  const Status written = write_plan(folder / "sum.plan", content);
  ASSERT_TRUE(written.ok()) << written.error().str();
  std::filesystem::remove(folder / "first.npy");
  auto session = Session::open(folder / "sum.plan");
  ASSERT_TRUE(session.ok()) << session.error().str();
  EXPECT_TRUE(session->carries_state());
  ASSERT_TRUE(session->set_input("x", Tensor::from(Shape{1, 2}, std::vector<float>{1, 2})).ok());
  ASSERT_TRUE(session->run().ok());
  ASSERT_TRUE(session->run().ok());
  EXPECT_THAT(values(session->output("after")), ElementsAre(12, 24));
}

const std::vector<PlanProfile> kTwoBuckets{{.shapes = {{"x", {.min = {1, 4}, .opt = {2, 4}, .max = {8, 4}}}},
                                            .buckets = {{{"x", {2, 4}}}, {{"x", {4, 4}}}}}};

TEST_P(SessionFramesTest, CountsShapesThatAreNotMadeReady) {
  auto session = open_plan(test::affine_model(), kTwoBuckets);
  ASSERT_TRUE(session.ok()) << session.error().str();
  EXPECT_EQ(session->metrics().runs, 0U);                            // making ready is no run
  EXPECT_EQ(session->run().error().code, ErrorCode::kInvalidInput);  // and leaves nothing bound
  const auto run = [&](std::int64_t batch) {
    const Tensor input =
        Tensor::from(Shape{batch, 4}, std::vector<float>(static_cast<std::size_t>(batch) * 4, 1));
    ASSERT_TRUE(session->set_input("x", input).ok());
    const Status ran = session->run();
    ASSERT_TRUE(ran.ok()) << ran.error().str();
    EXPECT_EQ(values(session->output("y")), std::vector<float>([&] {
                std::vector<float> expected;
                for (std::int64_t i = 0; i < batch; ++i) expected.insert(expected.end(), {3.5F, 2.5F});
                return expected;
              }()));
  };
  run(2);
  run(4);
  EXPECT_EQ(session->metrics().cold_shapes, 0U);
  run(3);
  run(3);
  EXPECT_EQ(session->metrics().cold_shapes, 2U);
  run(2);
  EXPECT_EQ(session->metrics().cold_shapes, 2U);
}

TEST_P(SessionFramesTest, RefusesColdShapesWhereItIsStrict) {
  SessionOptions options;
  options.strict = true;
  auto session = open_plan(test::affine_model(), kTwoBuckets, options);
  ASSERT_TRUE(session.ok()) << session.error().str();
  ASSERT_TRUE(session->set_input("x", Tensor::from(Shape{3, 4}, std::vector<float>(12))).ok());
  const Status cold = session->run();
  ASSERT_FALSE(cold.ok());
  EXPECT_EQ(cold.error().code, ErrorCode::kOutOfRange);
  EXPECT_THAT(cold.error().message, HasSubstr("'x' [2, 4]; 'x' [4, 4]"));
  EXPECT_EQ(session->metrics().cold_shapes, 0U);
  ASSERT_TRUE(session->set_input("x", Tensor::from(Shape{4, 4}, std::vector<float>(16))).ok());
  EXPECT_TRUE(session->run().ok());
}

TEST_P(SessionFramesTest, NamesABucketThatCannotRun) {
  auto profiles = kTwoBuckets;
  profiles[0].buckets.push_back({{"x", {2, 5}}});
  const auto session = open_plan(test::affine_model(), profiles);
  ASSERT_FALSE(session.ok());
  EXPECT_THAT(session.error().str(), HasSubstr("[2, 5]"));
}

TEST_P(SessionFramesTest, HasNoColdShapesWhereAllAreFixed) {
  SessionOptions options;
  options.strict = true;
  auto session = open(test::model_of(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[1, 2] x) => (float[1, 2] y) { y = Add(x, x) })"),
                      options);
  ASSERT_TRUE(session.ok()) << session.error().str();
  ASSERT_TRUE(session->set_input("x", Tensor::from(Shape{1, 2}, std::vector<float>{1, 2})).ok());
  EXPECT_TRUE(session->run().ok());
  EXPECT_EQ(session->metrics().cold_shapes, 0U);
}

TEST_P(SessionFramesTest, MakesBucketsReadyBeforeTheirFirstRun) {
  const Model model = test::model_of(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[1, 3, h, w] x, float[16, 3, 3, 3] u, float[16, 16, 3, 3] v) => (float[1, 16, a, b] y) {
      c = Conv <pads = [1, 1, 1, 1]> (x, u) d = Relu(c) y = Conv <pads = [1, 1, 1, 1]> (d, v) })");
  PlanProfile listed{.shapes = {{"x", {{1, 3, 16, 16}, {1, 3, 32, 32}, {1, 3, 128, 128}}}}, .buckets = {}};
  const PlanProfile unlisted = listed;
  for (std::int64_t side = 24; side <= 120; side += 8)
    listed.buckets.push_back({{"x", {1, 3, side, side + 1}}});
  const auto first_runs = [&](const PlanProfile& profile) {
    auto session = open_plan(model, {profile});
    EXPECT_TRUE(session.ok()) << session.error().str();
    EXPECT_TRUE(session->set_input("u", *Tensor::allocate(DType::kFloat32, {16, 3, 3, 3})).ok());
    EXPECT_TRUE(session->set_input("v", *Tensor::allocate(DType::kFloat32, {16, 16, 3, 3})).ok());
    std::chrono::nanoseconds first{0};
    std::chrono::nanoseconds second{0};
    for (const InputShapes& bucket : listed.buckets) {
      EXPECT_TRUE(session->set_input("x", *Tensor::allocate(DType::kFloat32, bucket.at("x"))).ok());
      for (auto* sum : {&first, &second}) {
        const auto begin = std::chrono::steady_clock::now();
        EXPECT_TRUE(session->run().ok());
        *sum += std::chrono::steady_clock::now() - begin;
      }
    }
    return std::pair(first, second);
  };
  const auto cold = first_runs(unlisted);
  const auto ready = first_runs(listed);
  const auto microseconds = [](std::chrono::nanoseconds time) {
    return static_cast<int>(time.count() / 1000);
  };
  RecordProperty("cold_first_us", microseconds(cold.first));
  RecordProperty("cold_second_us", microseconds(cold.second));
  RecordProperty("ready_first_us", microseconds(ready.first));
  RecordProperty("ready_second_us", microseconds(ready.second));
  if (GetParam() == "openvino") {  // the one that compiles for each shape
    EXPECT_LT(ready.first, cold.first);
  }
}

std::vector<NamedTensors> items_of(int count) {
  std::vector<NamedTensors> items;
  for (int i = 0; i < count; ++i) {
    items.push_back({{"x", Tensor::from(Shape{1, 4}, std::vector<float>{static_cast<float>(i), 0, 0, 1})}});
  }
  return items;
}

void expect_in_order(const Result<std::vector<NamedTensors>>& results, int count) {
  ASSERT_TRUE(results.ok()) << results.error().str();
  ASSERT_EQ(results->size(), static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    const Tensor& y = results->at(static_cast<std::size_t>(i)).at("y");
    EXPECT_EQ(y.shape(), (Shape{1, 2}));
    EXPECT_THAT(y.data<float>(), ElementsAre(static_cast<float>(i) + 0.5F, 1.5F));
  }
}

TEST_P(SessionFramesTest, RunsItemsInBatchesAndGivesResultsInOrder) {
  auto session = open(test::affine_model());
  ASSERT_TRUE(session.ok()) << session.error().str();
  expect_in_order(session->run_batch(items_of(20), 8), 20);
  EXPECT_EQ(session->metrics().runs, 3U);
  expect_in_order(session->run_batch(items_of(5)), 5);  // all together
  EXPECT_EQ(session->metrics().runs, 4U);
  EXPECT_TRUE(session->run_batch({}).ok());
  EXPECT_EQ(session->run().error().code, ErrorCode::kInvalidInput);  // nothing stays bound
}

TEST_P(SessionFramesTest, TakesASmallerLastBatchWhereThePlanMakesItReady) {
  auto session = open_plan(test::affine_model(), kTwoBuckets);
  ASSERT_TRUE(session.ok()) << session.error().str();
  expect_in_order(session->run_batch(items_of(6), 4), 6);  // 4 and 2, both ready
  EXPECT_EQ(session->metrics().cold_shapes, 0U);
  expect_in_order(session->run_batch(items_of(5), 4), 5);  // 4 and 1, filled up to 4
  EXPECT_EQ(session->metrics().cold_shapes, 0U);
  expect_in_order(session->run_batch(items_of(4)), 4);  // the first profile's best: 2
  EXPECT_EQ(session->metrics().runs, 6U);
}

TEST_P(SessionFramesTest, RefusesBatchesThatCannotBe) {
  auto session = open(test::affine_model());
  ASSERT_TRUE(session.ok()) << session.error().str();
  auto items = items_of(3);
  items[2]["x"] = Tensor::from(Shape{2, 4}, std::vector<float>(8));
  EXPECT_EQ(session->run_batch(items, 3).error().code, ErrorCode::kInvalidInput);
  items[2].clear();
  EXPECT_EQ(session->run_batch(items, 3).error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(session->run_batch(items_of(1), -1).error().code, ErrorCode::kUsage);
  auto fixed = open(test::model_of(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[2, 4] x) => (float[2, 4] y) { y = Add(x, x) })"));
  ASSERT_TRUE(fixed.ok()) << fixed.error().str();
  EXPECT_EQ(fixed->run_batch(items_of(4), 3).error().code, ErrorCode::kUsage);
  const auto results = fixed->run_batch(items_of(3));
  ASSERT_TRUE(results.ok()) << results.error().str();
  EXPECT_EQ(results->size(), 3U);
  SessionOptions options;
  options.state = {{.output = "after", .input = "before", .first = {}}};
  auto stateful = open(running_sum("2"), options);
  ASSERT_TRUE(stateful.ok()) << stateful.error().str();
  EXPECT_EQ(stateful->run_batch(items_of(1)).error().code, ErrorCode::kUsage);
}

INSTANTIATE_TEST_SUITE_P(Targets, SessionFramesTest, testing::ValuesIn(test::computing_targets()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace tarmac

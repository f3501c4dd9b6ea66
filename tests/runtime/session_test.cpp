#include "tarmac/tarmac.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/file.h"
#include "plan/plan_file.h"
#include "runtime/example_models.h"
#include "support/temporary_folder.h"

namespace tarmac {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::vector<float> kInput{1, 2, 3, 4, -1, 0, 0, 1};

std::vector<float> run(Session& session, const Tensor& input) {
  const Status bound = session.set_input("x", input);
  EXPECT_TRUE(bound.ok()) << bound.error().str();
  const Status ran = session.run();
  EXPECT_TRUE(ran.ok()) << ran.error().str();
  const auto output = session.output("y");
  EXPECT_TRUE(output.ok()) << output.error().str();
  const auto values = output->data<float>();
  return {values.begin(), values.end()};
}

class SessionTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    onnx = folder / "affine.onnx";
    ASSERT_TRUE(save_model(model, onnx).ok());
  }

  PlanContent content() {
    PlanContent result;
    result.model = &model;
    result.info.target = GetParam();
    result.info.engine_version = (*find_target(GetParam()))->version();
    return result;
  }

  std::filesystem::path write_plan_of(const PlanContent& plan_content) {
    const auto plan = folder / "affine.plan";
    const Status written = write_plan(plan, plan_content);
    EXPECT_TRUE(written.ok()) << written.error().str();
    return plan;
  }

  [[nodiscard]] Result<Session> open_onnx() const {
    SessionOptions options;
    options.target = GetParam();
    return Session::open(onnx, options);
  }

  test::TemporaryFolder folder;
  Model model = test::affine_model();
  std::filesystem::path onnx;
};

TEST_P(SessionTest, RunsAnOnnxFile) {
  auto session = open_onnx();
  ASSERT_TRUE(session.ok()) << session.error().str();
  EXPECT_EQ(session->target(), GetParam());
  EXPECT_EQ(session->plan(), nullptr);
  ASSERT_EQ(session->inputs().size(), 1U);
  EXPECT_EQ(session->inputs()[0].type, "float32[batch, 4]");
  EXPECT_EQ(session->outputs()[0].name, "y");
  EXPECT_THAT(run(*session, Tensor::from(Shape{2, 4}, kInput)), ElementsAre(7.5F, 9.5F, -0.5F, 1.5F));
}

TEST_P(SessionTest, RunsAPlanAsItsModel) {
  auto session = Session::open(write_plan_of(content()));
  ASSERT_TRUE(session.ok()) << session.error().str();
  EXPECT_EQ(session->target(), GetParam());
  ASSERT_NE(session->plan(), nullptr);
  EXPECT_EQ(session->plan()->outputs[0].type, "float32[batch, 2]");
  EXPECT_THAT(run(*session, Tensor::from(Shape{2, 4}, kInput)), ElementsAre(7.5F, 9.5F, -0.5F, 1.5F));
}

TEST_P(SessionTest, FollowsTheShapeOfItsInput) {
  auto session = open_onnx();
  ASSERT_TRUE(session.ok()) << session.error().str();
  for (const std::int64_t batch : {1, 5, 2}) {
    const std::vector<float> ones(static_cast<std::size_t>(batch) * 4, 1.0F);
    EXPECT_EQ(run(*session, Tensor::from(Shape{batch, 4}, ones)).size(), static_cast<std::size_t>(batch) * 2);
  }
}

TEST_P(SessionTest, WritesIntoTheCallersMemory) {
  auto session = open_onnx();
  ASSERT_TRUE(session.ok()) << session.error().str();
  auto memory = Tensor::allocate(DType::kFloat32, {2, 2});
  ASSERT_TRUE(session->set_output("y", *memory).ok());
  run(*session, Tensor::from(Shape{2, 4}, kInput));
  EXPECT_THAT(memory->data<float>(), ElementsAre(7.5F, 9.5F, -0.5F, 1.5F));
  EXPECT_EQ(session->output("y")->bytes().data(), memory->bytes().data());
}

TEST_P(SessionTest, ClonesRunAtOnceWithInputsOfTheirOwn) {
  auto first = open_onnx();
  ASSERT_TRUE(first.ok()) << first.error().str();
  constexpr int kThreads = 4;
  std::vector<int> wrong(kThreads, -1);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    auto clone = first->clone_context();
    ASSERT_TRUE(clone.ok()) << clone.error().str();
    threads.emplace_back([i, &wrong, session = *std::move(clone)]() mutable {
      const auto value = static_cast<float>(i);
      const Tensor input = Tensor::from(Shape{1, 4}, std::vector<float>{value, 0, 0, 0});
      wrong[static_cast<std::size_t>(i)] = 0;
      for (int n = 0; n < 50; ++n) {
        if (run(session, input) != std::vector<float>{value + 0.5F, -0.5F})
          ++wrong[static_cast<std::size_t>(i)];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(wrong, testing::Each(0));
}

TEST_P(SessionTest, RunsAModelWithLocalFunctions) {
  const Model with_function = test::model_of(R"(
    <ir_version: 8, opset_import: ["" : 17, "local" : 1]>
    g (float[batch, 2] x) => (float[batch, 2] y) { y = local.twice(x) }
    <domain: "local", opset_import: ["" : 17]>
    twice (a) => (b) { b = Add(a, a) })");
  ASSERT_TRUE(save_model(with_function, onnx).ok());
  auto session = open_onnx();
  ASSERT_TRUE(session.ok()) << session.error().str();
  EXPECT_THAT(run(*session, Tensor::from(Shape{1, 2}, std::vector<float>{1, 2})), ElementsAre(2, 4));
}

TEST_P(SessionTest, RefusesShapesOutsideThePlansProfiles) {
  PlanContent with_profiles = content();
  with_profiles.info.profiles = {
      {.shapes = {{"x", {.min = {1, 4}, .opt = {2, 4}, .max = {2, 4}}}}, .buckets = {}},
      {.shapes = {{"x", {.min = {8, 4}, .opt = {8, 4}, .max = {8, 4}}}}, .buckets = {}}};
  auto session = Session::open(write_plan_of(with_profiles));
  ASSERT_TRUE(session.ok()) << session.error().str();
  const Status refused = session->set_input("x", Tensor::from(Shape{3, 4}, std::vector<float>(12)));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kOutOfRange);
  EXPECT_THAT(refused.error().message, HasSubstr("[3, 4]"));
  EXPECT_THAT(refused.error().message, HasSubstr("[1, 4] to [2, 4], or [8, 4] to [8, 4]"));
  EXPECT_EQ(run(*session, Tensor::from(Shape{8, 4}, std::vector<float>(32))).size(), 16U);
}

TEST_P(SessionTest, RefusesAPlanOfAnotherEngineVersion) {
  PlanContent other = content();
  other.info.engine_version = "Engine 0.1";
  const auto session = Session::open(write_plan_of(other));
  ASSERT_FALSE(session.ok());
  EXPECT_EQ(session.error().code, ErrorCode::kMismatch);
  EXPECT_THAT(session.error().message, HasSubstr("Engine 0.1"));
  EXPECT_THAT(session.error().message, HasSubstr((*find_target(GetParam()))->version()));
}

TEST_P(SessionTest, ReportsTheTimeOfEachNodeWhenAskedTo) {
  SessionOptions options;
  options.target = GetParam();
  options.profile = true;
  auto session = Session::open(onnx, options);
  ASSERT_TRUE(session.ok()) << session.error().str();
  run(*session, Tensor::from(Shape{2, 4}, kInput));
  const auto times = session->profile();
  ASSERT_TRUE(times.ok()) << times.error().str();
  EXPECT_FALSE(times->empty());
  auto without = open_onnx();
  run(*without, Tensor::from(Shape{2, 4}, kInput));
  EXPECT_EQ(without->profile().error().code, ErrorCode::kUsage);
}

INSTANTIATE_TEST_SUITE_P(Targets, SessionTest, testing::ValuesIn(test::computing_targets()),
                         [](const auto& test) { return test.param; });

class SessionErrorTest : public testing::Test {
 protected:
  static Result<Session> open(const std::filesystem::path& path, const std::string& target = "null") {
    SessionOptions options;
    options.target = target;
    return Session::open(path, options);
  }
  test::TemporaryFolder folder;
};

TEST_F(SessionErrorTest, NamesAnUnknownTarget) {
  const auto path = folder / "m.onnx";
  ASSERT_TRUE(save_model(test::affine_model(), path).ok());
  const auto session = open(path, "openvinno");
  ASSERT_FALSE(session.ok());
  EXPECT_EQ(session.error().code, ErrorCode::kUsage);
}

TEST_F(SessionErrorTest, RefusesToRunAPlanElsewhereThanItWasAccepted) {
  const Model model = test::affine_model();
  PlanContent content;
  content.model = &model;
  content.info.target = "null";
  content.info.engine_version = (*find_target("null"))->version();
  ASSERT_TRUE(write_plan(folder / "m.plan", content).ok());
  EXPECT_TRUE(open(folder / "m.plan").ok());
  const auto session = open(folder / "m.plan", "openvino");
  ASSERT_FALSE(session.ok());
  EXPECT_EQ(session.error().code, ErrorCode::kMismatch);
}

TEST_F(SessionErrorTest, RefusesADamagedPlanWithItsName) {
  const Model model = test::affine_model();
  PlanContent content;
  content.model = &model;
  content.info.target = "null";
  ASSERT_TRUE(write_plan(folder / "m.plan", content).ok());
  std::string bytes = *read_file(folder / "m.plan");
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
  const auto session = open(folder.write("damaged", bytes));
  ASSERT_FALSE(session.ok());
  EXPECT_EQ(session.error().code, ErrorCode::kInvalidModel);
  EXPECT_THAT(session.error().context, HasSubstr("damaged"));
}

TEST_F(SessionErrorTest, SaysWhatIsMissing) {
  EXPECT_EQ(open(folder / "absent.onnx").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(open(folder / "absent.plan").error().code, ErrorCode::kNotFound);
  const auto path = folder / "m.onnx";
  ASSERT_TRUE(save_model(test::affine_model(), path).ok());
  auto session = open(path);
  ASSERT_TRUE(session.ok()) << session.error().str();
  EXPECT_EQ(session->run().error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(session->output("z").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(session->preprocess("x", "picture.png").error().code, ErrorCode::kUsage);
  const Status wrong = session->set_input("x", Tensor::from(Shape{1, 3}, std::vector<float>(3)));
  EXPECT_EQ(wrong.error().code, ErrorCode::kInvalidInput);
  EXPECT_THAT(wrong.error().message, HasSubstr("float32[batch, 4]"));
}

}  // namespace
}  // namespace tarmac

// Engines inside plans: loaded where they may be trusted, built again where not, with the same results.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "plan/example_plan.h"
#include "plan/key_pair.h"
#include "runtime/compile.h"
#include "runtime/example_models.h"
#include "runtime/open_model.h"
#include "support/temporary_folder.h"

namespace tarmac {
namespace {

using testing::HasSubstr;
using testing::Not;

/// A driving operator, whose attributes have more digits than decimal text keeps.
Model voxel_model() {
  auto model = model_from_text(R"(
    <ir_version: 8, opset_import: ["" : 17, "tarmac" : 1]>
    pillars (float[n, 4] points) => (float[50, 3, 4] voxels, int32[50, 4] cells, int32[50] number, int32[1] count) {
      shifted = Add(points, points)
      voxels, cells, number, count = tarmac.Voxelize <voxel_size = [0.33333334, 0.7, 4.0],
        point_cloud_range = [-1.1234567, -2.0, -3.0, 7.7654321, 6.0, 1.0], max_voxels = 50, max_points = 3> (shifted)
    })");
  EXPECT_TRUE(model.ok()) << model.error().str();
  return *std::move(model);
}

class PlanEngineTest : public testing::TestWithParam<std::string> {
 protected:
  /// A plan of the model with its engine inside.
  void write(const Model& model, const std::filesystem::path& sign_key = {}) {
    Target& target = **find_target(GetParam());
    Model copy = clone_model(model);
    const auto executable = compile_model(target, copy, {.saveable = true}, no_progress());
    ASSERT_TRUE(executable.ok()) << executable.error().str();
    PlanContent content;
    content.model = &model;
    content.info.target = GetParam();
    content.info.engine_version = target.version();
    content.info.engine_notes = (*executable)->notes();
    content.sign_key = sign_key;
    auto engine = (*executable)->save_engine();
    ASSERT_TRUE(engine.ok()) << engine.error().str();
    content.engine = *std::move(engine);
    const Status written = write_plan(path, content);
    ASSERT_TRUE(written.ok()) << written.error().str();
  }

  Result<OpenedModel> open(const std::filesystem::path& signer = {}) const {
    OpenOptions options;
    options.required_signer = signer;
    return open_model(path, options, no_progress());
  }

  static std::vector<Tensor> run(OpenedModel& opened, const std::string& input, const Tensor& tensor) {
    auto context = *opened.executable->create_context();
    EXPECT_TRUE(context->set_input(input, tensor).ok());
    const Status status = context->run();
    EXPECT_TRUE(status.ok()) << status.error().str();
    std::vector<Tensor> outputs;
    for (const TensorInfo& info : opened.executable->outputs())
      outputs.push_back(*context->output(info.name)->clone());
    return outputs;
  }

  static std::string notes_of(const OpenedModel& opened) { return testing::PrintToString(opened.notes); }

  test::OwnMachine machine;
  test::TemporaryFolder folder;
  std::filesystem::path path = folder / "m.plan";
};

TEST_P(PlanEngineTest, LoadsTheEngineOfAPlanMadeHereWithTheSameResults) {
  const Model model = test::weighty_model();
  write(model);
  auto from_engine = open();
  ASSERT_TRUE(from_engine.ok()) << from_engine.error().str();
  EXPECT_THAT(notes_of(*from_engine), Not(HasSubstr("built again")));
  const test::OwnMachine other;
  auto rebuilt = open();
  ASSERT_TRUE(rebuilt.ok()) << rebuilt.error().str();
  EXPECT_THAT(notes_of(*rebuilt), HasSubstr("built again"));
  const Tensor x = Tensor::from<float>({2, 4}, std::vector<float>{1, 2, 3, 4, -1, 0, 0, 1});
  const auto first = run(*from_engine, "x", x);
  const auto second = run(*rebuilt, "x", x);
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first[0].shape(), (Shape{2, 512}));
  EXPECT_TRUE(identical(first[0], second[0]));
}

TEST_P(PlanEngineTest, ComputesWithWeightsThatTheEngineReadsWhereTheyAre) {
  constexpr std::int64_t kColumns = 32768;
  const Model model = test::weighty_model(kColumns);
  write(model);
  const test::OwnMachine other;
  auto rebuilt = open();
  ASSERT_TRUE(rebuilt.ok()) << rebuilt.error().str();
  const std::vector<float> x{1, 2, 3, 4};
  const auto y = run(*rebuilt, "x", Tensor::from<float>({1, 4}, x)).front().clone();
  const auto values = y->data<float>();
  ASSERT_EQ(values.size(), static_cast<std::size_t>(kColumns));
  const auto weights = model.graph->find("w")->initializer()->data<float>();
  for (std::size_t column = 0; column < values.size(); column += 97) {
    float expected = 0.25F;
    for (std::size_t row = 0; row < x.size(); ++row) expected += x[row] * weights[row * kColumns + column];
    ASSERT_NEAR(values[column], expected, 1e-2) << column;
  }
}

TEST_P(PlanEngineTest, LoadsAnEngineWithDrivingOperators) {
  const Model model = voxel_model();
  write(model);
  auto from_engine = open();
  ASSERT_TRUE(from_engine.ok()) << from_engine.error().str();
  EXPECT_THAT(notes_of(*from_engine), Not(HasSubstr("built again")));
  const test::OwnMachine other;
  auto rebuilt = open();
  ASSERT_TRUE(rebuilt.ok()) << rebuilt.error().str();
  std::vector<float> points;
  for (int i = 0; i < 400; ++i) points.push_back(static_cast<float>(i * 7 % 31) / 9 - 1);
  const Tensor x = Tensor::from<float>({100, 4}, points);
  const auto first = run(*from_engine, "points", x);
  const auto second = run(*rebuilt, "points", x);
  ASSERT_EQ(first.size(), 4U);
  for (std::size_t i = 0; i < first.size(); ++i) EXPECT_TRUE(identical(first[i], second[i])) << i;
  EXPECT_GT(first[3].data<std::int32_t>()[0], 5);
}

TEST_P(PlanEngineTest, LoadsTheEngineOfAPlanFromElsewhereOnlyByItsRequiredSigner) {
  const auto signer = test::write_key_pair(folder, "signer");
  write(test::weighty_model(), signer.private_key);
  const test::OwnMachine other;
  const auto required = open(signer.public_key);
  ASSERT_TRUE(required.ok()) << required.error().str();
  EXPECT_THAT(notes_of(*required), Not(HasSubstr("built again")));
  const auto anyone = open();
  ASSERT_TRUE(anyone.ok()) << anyone.error().str();
  EXPECT_THAT(notes_of(*anyone), HasSubstr("built again"));
}

TEST_P(PlanEngineTest, BuildsAnEngineAgainThatSomeonePutIn) {
  write(test::weighty_model());
  auto sections = test::sections_of(path);
  for (auto& [name, bytes] : sections) {
    if (name == kEngineSection) bytes.back() ^= 1;
  }
  const auto old = *read_file(path);
  const PlanOrigin origin = decode_plan(std::as_bytes(std::span(old)))->origin;
  ASSERT_TRUE(write_file(path, test::forge_plan(sections, origin)).ok());
  const auto opened = open();
  ASSERT_TRUE(opened.ok()) << opened.error().str();
  EXPECT_THAT(notes_of(*opened), HasSubstr("built again"));
}

TEST_P(PlanEngineTest, BuildsTheEngineAgainWhereNodeTimesAreAsked) {
  write(test::weighty_model());
  OpenOptions options;
  options.compile.profile = true;
  auto opened = open_model(path, options, no_progress());
  ASSERT_TRUE(opened.ok()) << opened.error().str();
  EXPECT_THAT(notes_of(*opened), HasSubstr("node times"));
}

TEST_P(PlanEngineTest, RefusesAnOnnxFileWhereASignatureIsRequired) {
  const auto signer = test::write_key_pair(folder, "signer");
  const Model model = test::example_model();
  ASSERT_TRUE(save_model(model, folder / "m.onnx").ok());
  OpenOptions options;
  options.required_signer = signer.public_key;
  const auto opened = open_model(folder / "m.onnx", options, no_progress());
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, ErrorCode::kMismatch);
}

INSTANTIATE_TEST_SUITE_P(Targets, PlanEngineTest, testing::ValuesIn(test::computing_targets()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace tarmac

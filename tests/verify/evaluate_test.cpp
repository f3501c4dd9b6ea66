#include "verify/evaluate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <fstream>
#include <opencv2/imgcodecs.hpp>

#include "runtime/example_models.h"
#include "support/temporary_folder.h"
#include "tensor/io.h"
#include "verify/reference.h"

namespace tarmac {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// Scores are ten times the mean of each colour: the brightest colour wins.
constexpr const char* kColourModel = R"(
  <ir_version: 8, opset_import: ["" : 17]>
  colours (float[BATCH, 3, 4, 4] picture) => (float[BATCH, 3] scores) <float[1] ten = {10}> {
    mean = ReduceMean <axes = [2, 3], keepdims = 0> (picture)
    scores = Mul(mean, ten)
  })";

constexpr const char* kContract = R"(version: 1
name: colours
model: colours.onnx
inputs:
  picture:
    shape: [BATCH, 3, 4, 4]
    dtype: float32
    layout: NCHW
    preprocess:
      - decode: {color: RGB}
      - resize: {size: [4, 4], interpolation: nearest}
      - normalize: {scale: 1/255, mean: [0, 0, 0], std: [1, 1, 1]}
labels: [red, green, blue]
data:
  evaluation: {folder: pictures, labels: from_folder}
evaluation: {metric: top1}
reference:
  outputs: outputs.npy
  inputs: list.txt
  max_relative_error: 1%
)";

/// Each pixel is scored for three classes; the classes are red, green and blue.
constexpr const char* kPixelModel = R"(
  <ir_version: 8, opset_import: ["" : 17]>
  pixels (float[batch, 3, 4, 4] picture) => (float[batch, 3, 2, 2] scores) {
    scores = AveragePool <kernel_shape = [2, 2], strides = [2, 2]> (picture)
  })";

std::string with_batch(std::string text, const std::string& batch) {
  for (std::size_t at = text.find("BATCH"); at != std::string::npos; at = text.find("BATCH"))
    text.replace(at, 5, batch);
  return text;
}

class EvaluateTest : public testing::Test {
 protected:
  void SetUp() override {
    if (test::computing_targets().empty()) GTEST_SKIP() << "no engine was built in";
    add_picture("red/a.png", {250, 0, 0});
    add_picture("red/b.png", {0, 250, 0});  // looks green
    add_picture("green/c.png", {0, 255, 0});
    add_picture("green/d.png", {0, 200, 0});
    add_picture("blue/e.png", {10, 20, 255});
    std::ofstream(folder / "list.txt") << "pictures/red/a.png\npictures/blue/e.png\n";
    write_reference({10.0F * 250 / 255, 0, 0, 10.0F * 10 / 255, 10.0F * 20 / 255, 10});
  }

  void add_picture(const std::string& name, const std::array<int, 3>& rgb) {
    const auto path = folder / "pictures" / name;
    std::filesystem::create_directories(path.parent_path());
    ASSERT_TRUE(cv::imwrite(path.string(), cv::Mat(6, 6, CV_8UC3, cv::Scalar(rgb[2], rgb[1], rgb[0]))));
  }

  void write_reference(const std::vector<float>& values) {
    ASSERT_TRUE(write_npy(folder / "outputs.npy", Tensor::from(Shape{2, 3}, values)).ok());
  }

  Contract contract_of(const std::string& batch) {
    (void)folder.write("colours.onnx", *serialize_model(test::model_of(with_batch(kColourModel, batch))));
    auto contract = parse_contract(with_batch(kContract, batch), folder / "deploy.yaml");
    EXPECT_TRUE(contract.ok()) << contract.error().str();
    return *std::move(contract);
  }

  static std::unique_ptr<Executable> compile(const std::string& target, const std::string& batch,
                                             const std::string& model = kColourModel) {
    auto executable =
        (*find_target(target))->compile(test::model_of(with_batch(model, batch)), {}, no_progress());
    EXPECT_TRUE(executable.ok()) << executable.error().str();
    return *std::move(executable);
  }

  Result<Evaluation> evaluate_one(Executable& executable, const Contract& contract,
                                  std::size_t batch_size) const {
    TARMAC_TRY(const Dataset dataset, Dataset::open(contract, *contract.evaluation_data));
    BatchOptions options;
    options.batch_size = batch_size;
    Executable* const executables[] = {&executable};
    TARMAC_TRY(auto evaluations, evaluate(executables, contract, dataset, options, no_progress()));
    return std::move(evaluations.front());
  }

  static void expect_right(const Evaluation& evaluation) {
    EXPECT_EQ(evaluation.score.samples, 5);
    EXPECT_DOUBLE_EQ(evaluation.score.value, 0.8);
    EXPECT_THAT(evaluation.score.per_sample, ElementsAre(1, 1, 1, 1, 0));
    EXPECT_DOUBLE_EQ(evaluation.score.classification->recall(0), 0.5);
    EXPECT_THAT(evaluation.score.classification->confusion(),
                ElementsAre(ElementsAre(1, 1, 0), ElementsAre(0, 2, 0), ElementsAre(0, 0, 1)));
    std::vector<std::string> names;
    std::vector<int> predicted;
    for (const DataItem& item : evaluation.items) names.push_back(item.path.filename());
    for (const Prediction& prediction : evaluation.predictions) predicted.push_back(prediction.predicted);
    EXPECT_THAT(names, ElementsAre("e.png", "c.png", "d.png", "a.png", "b.png"));
    EXPECT_THAT(predicted, ElementsAre(2, 1, 1, 0, 1));
    // softmax(0, 10, 0)
    EXPECT_NEAR(evaluation.predictions[1].probability, 1 / (1 + 2 * std::exp(-10.0)), 1e-6);
    EXPECT_GT(evaluation.inference_ns, 0);
  }

  test::TemporaryFolder folder;
};

TEST_F(EvaluateTest, CountsEveryPictureOnceOnEveryTargetAndBatchSize) {
  const Contract contract = contract_of("batch");
  for (const std::string& target : test::computing_targets()) {
    const auto executable = compile(target, "batch");
    for (const std::size_t batch_size : {1U, 2U, 5U, 16U}) {
      const testing::ScopedTrace trace(__FILE__, __LINE__, target + ", batch " + std::to_string(batch_size));
      const auto evaluation = evaluate_one(*executable, contract, batch_size);
      ASSERT_TRUE(evaluation.ok()) << evaluation.error().str();
      expect_right(*evaluation);
    }
  }
}

TEST_F(EvaluateTest, DoesNotCountWhatFillsAFixedBatch) {
  const Contract contract = contract_of("3");
  const auto executable = compile(test::computing_targets().front(), "3");
  const auto evaluation = evaluate_one(*executable, contract, 0);
  ASSERT_TRUE(evaluation.ok()) << evaluation.error().str();
  expect_right(*evaluation);
}

TEST_F(EvaluateTest, SeveralExecutablesSeeTheSamePictures) {
  const Contract contract = contract_of("batch");
  const auto dataset = Dataset::open(contract, *contract.evaluation_data);
  std::vector<std::unique_ptr<Executable>> owned;
  std::vector<Executable*> executables;
  for (const std::string& target : {test::computing_targets().front(), std::string("null")}) {
    owned.push_back(compile(target, "batch"));
    executables.push_back(owned.back().get());
  }
  const auto evaluations = evaluate(executables, contract, *dataset, {}, no_progress());
  ASSERT_TRUE(evaluations.ok()) << evaluations.error().str();
  expect_right((*evaluations)[0]);
  EXPECT_EQ((*evaluations)[1].score.classification->correct(), 2)
      << "scores of zero all mean the first class";
}

TEST_F(EvaluateTest, NeedsLabelsAndAKnownOutput) {
  Contract contract = contract_of("batch");
  const auto executable = compile("null", "batch");
  contract.evaluation->output = "logits";
  const auto unknown = evaluate_one(*executable, contract, 1);
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(unknown.error().message, HasSubstr("scores"));
  contract.evaluation->output.clear();
  contract.evaluation_data->labels = LabelSource::kNone;
  const auto unlabelled = evaluate_one(*executable, contract, 1);
  ASSERT_FALSE(unlabelled.ok());
  EXPECT_EQ(unlabelled.error().code, ErrorCode::kUsage);
}

TEST_F(EvaluateTest, AgreementIsWithTheFirstOrWithANamedExecutable) {
  Contract contract = contract_of("batch");
  contract.evaluation_data->labels = LabelSource::kNone;
  contract.evaluation->metric = EvaluationMetric::kAgreement;
  const auto dataset = Dataset::open(contract, *contract.evaluation_data);
  ASSERT_TRUE(dataset.ok());
  const std::string target = test::computing_targets().front();
  std::string nine = kColourModel;
  nine.replace(nine.find("{10}"), 4, "{9}");
  const auto ten_times = compile(target, "batch");
  const auto nine_times = compile(target, "batch", nine);
  Executable* const both[] = {ten_times.get(), nine_times.get()};
  const auto scored = evaluate(both, contract, *dataset, {}, no_progress());
  ASSERT_TRUE(scored.ok()) << scored.error().str();
  EXPECT_DOUBLE_EQ((*scored)[0].score.value, 1);
  EXPECT_NEAR((*scored)[1].score.value, 0.99, 1e-5);  // 1 - (1 / 10)²
  EXPECT_EQ((*scored)[1].score.per_sample.size(), 5U);
  EXPECT_TRUE((*scored)[1].predictions.empty());
  Executable* const one[] = {ten_times.get()};
  const auto against = evaluate(one, contract, *dataset, {}, no_progress(), nine_times.get());
  ASSERT_TRUE(against.ok()) << against.error().str();
  ASSERT_EQ(against->size(), 1U);
  EXPECT_NEAR(against->front().score.value, 1 - 1.0 / 81, 1e-5);
}

TEST_F(EvaluateTest, CarriesStateFromFrameToFrame) {
  Contract contract;
  contract.inputs.resize(1);
  contract.inputs[0].name = "x";
  contract.inputs[0].shape = {{1, ""}, {2, ""}};
  contract.labels = {"left", "right"};
  contract.evaluation.emplace().output = "scores";
  contract.sequence.emplace().state = {{"after", "before", {}}};
  DataSource source;
  source.kind = DataKind::kTensors;
  source.path = folder / "frames.npz";
  source.labels = LabelSource::kFromFile;
  ASSERT_TRUE(write_npz(source.path, {{"x", Tensor::from<float>({3, 2}, {1, 0, 0, 0.5F, 0, 0.75F})},
                                      {"labels", Tensor::from<std::int64_t>({3}, {0, 0, 1})}})
                  .ok());
  const auto dataset = Dataset::open(contract, source);
  ASSERT_TRUE(dataset.ok()) << dataset.error().str();
  for (const std::string& target : test::computing_targets()) {
    const auto executable = compile(target, "1", R"(
      <ir_version: 8, opset_import: ["" : 17]>
      sums (float[1, 2] x, float[1, 2] before) => (float[1, 2] scores, float[1, 2] after) {
        after = Add(x, before)
        scores = Identity(after)
      })");
    Executable* const executables[] = {executable.get()};
    const auto evaluation = evaluate(executables, contract, *dataset, {}, no_progress());
    ASSERT_TRUE(evaluation.ok()) << evaluation.error().str();
    // The sums are (1, 0), (1, 0.5) and (1, 1.25); alone the second frame would say right.
    EXPECT_DOUBLE_EQ(evaluation->front().score.value, 1) << target;
  }
}

TEST_F(EvaluateTest, CountsPixelsAgainstLabelMapsOfThePictures) {
  Contract contract = contract_of("batch");
  contract.evaluation->metric = EvaluationMetric::kMeanIou;
  contract.evaluation_data->labels = LabelSource::kMasks;
  contract.evaluation_data->truth = folder / "masks";
  const auto add_mask = [&](const std::string& name, int label) {
    std::filesystem::create_directories((folder / "masks" / name).parent_path());
    ASSERT_TRUE(cv::imwrite((folder / "masks" / name).string(), cv::Mat(6, 6, CV_8UC1, cv::Scalar(label))));
  };
  add_mask("red/a.png", 0);
  add_mask("red/b.png", 0);  // looks green
  add_mask("green/c.png", 1);
  add_mask("green/d.png", 255);
  add_mask("blue/e.png", 2);
  const auto executable = compile(test::computing_targets().front(), "batch", kPixelModel);
  const auto evaluation = evaluate_one(*executable, contract, 2);
  ASSERT_TRUE(evaluation.ok()) << evaluation.error().str();
  // Of 4 pixels a picture: red 4 right of 8, green 4 right with 4 wrongly said, blue 4 of 4.
  EXPECT_EQ(evaluation->score.segmentation->pixels(), 16);
  EXPECT_DOUBLE_EQ(evaluation->score.value, (0.5 + 0.5 + 1) / 3);
  EXPECT_THAT(evaluation->score.per_sample, ElementsAre(1, 1, 1, 1, 0));
}

TEST_F(EvaluateTest, AgreesWithAReferenceAndFindsTheWorstPicture) {
  const Contract contract = contract_of("batch");
  for (const std::string& target : test::computing_targets()) {
    const auto executable = compile(target, "batch");
    const auto same = compare_with_reference(*executable, contract, no_progress());
    ASSERT_TRUE(same.ok()) << same.error().str();
    EXPECT_EQ(same->output, "scores");
    EXPECT_EQ(same->samples.size(), 2U);
    EXPECT_TRUE(same->passed());
    EXPECT_LT(same->total.max_rel, 1e-6);
  }
  write_reference({10.0F * 250 / 255, 0, 0, 10.0F * 10 / 255, 10.0F * 20 / 255, 10.5F});
  const auto executable = compile(test::computing_targets().front(), "batch");
  const auto other = compare_with_reference(*executable, contract, no_progress());
  ASSERT_TRUE(other.ok()) << other.error().str();
  EXPECT_FALSE(other->passed());
  EXPECT_EQ(other->worst_sample, 1U);
  EXPECT_EQ(other->items[1].path.filename(), "e.png");
  EXPECT_NEAR(other->total.max_rel, 0.5 / 10.5, 1e-6);
}

TEST_F(EvaluateTest, SaysWhenTheReferenceHasAnotherShape) {
  const Contract contract = contract_of("batch");
  const auto executable = compile("null", "batch");
  ASSERT_TRUE(write_npy(folder / "outputs.npy", Tensor::from(Shape{3, 3}, std::vector<float>(9))).ok());
  const auto rows = compare_with_reference(*executable, contract, no_progress());
  ASSERT_FALSE(rows.ok());
  EXPECT_EQ(rows.error().code, ErrorCode::kInvalidInput);
  EXPECT_THAT(rows.error().message, HasSubstr("[3, 3]"));
  ASSERT_TRUE(write_npy(folder / "outputs.npy", Tensor::from(Shape{2, 4}, std::vector<float>(8))).ok());
  const auto columns = compare_with_reference(*executable, contract, no_progress());
  ASSERT_FALSE(columns.ok());
  EXPECT_THAT(columns.error().message, HasSubstr("[2, 4]"));
  EXPECT_THAT(columns.error().message, HasSubstr("[2, 3]"));
}

}  // namespace
}  // namespace tarmac

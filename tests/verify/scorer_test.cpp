// Scores of outputs made by hand.
#include "verify/scorer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/expect.h"
#include "verify/read_detections.h"

namespace tarmac::test {
namespace {

using testing::ElementsAre;

std::vector<TensorInfo> outputs_of(const std::vector<std::string>& names) {
  std::vector<TensorInfo> infos;
  for (const std::string& name : names) infos.push_back({name, Type::tensor(DType::kFloat32)});
  return infos;
}

/// `rows` rows of input, of which the first `samples` are samples.
Batch batch_of(std::int64_t rows, std::size_t samples) {
  Batch batch;
  batch.inputs["x"] = Tensor::from<float>({rows, 1}, std::vector<float>(static_cast<std::size_t>(rows)));
  for (std::size_t i = 0; i < samples; ++i) {
    batch.items.push_back({"data.npz", static_cast<std::int64_t>(i), 0});
    batch.truths.emplace_back();
  }
  return batch;
}

Scorer scorer_of(const EvaluationSpec& spec, const std::vector<std::string>& outputs) {
  return expect_ok(Scorer::create(spec, {"other", "road"}, outputs_of(outputs)));
}

EvaluationSpec of(EvaluationMetric metric) {
  EvaluationSpec spec;
  spec.metric = metric;
  return spec;
}

Tensor floats(const Shape& shape, const std::vector<float>& values) {
  return Tensor::from<float>(shape, values);
}

TEST(Scorer, CountsLabelsOfTheSamplesOnly) {
  Scorer scorer = scorer_of(of(EvaluationMetric::kTop1), {"scores"});
  Batch batch = batch_of(3, 2);
  batch.items[1].label = 1;
  expect_ok(scorer.add(batch, {{"scores", floats({3, 2}, {1, 0, 1, 0, 9, 9})}}));
  const Score score = scorer.score();
  EXPECT_DOUBLE_EQ(score.value, 0.5);
  EXPECT_EQ(score.samples, 2);
  EXPECT_THAT(score.per_sample, ElementsAre(1, 0));
  EXPECT_TRUE(score.classification.has_value());
  EXPECT_FALSE(scorer.needs_reference());
}

TEST(Scorer, SamplesALabelMapOfTheInputAtTheOutputsSize) {
  Scorer scorer = scorer_of(of(EvaluationMetric::kMeanIou), {"scores"});
  Batch batch = batch_of(1, 1);
  batch.truths[0] = {
      Tensor::from<std::uint8_t>({2, 4}, {9, 9, 9, 9, 9, 0, 9, 1}), true, false, {}, false, {}};
  expect_ok(scorer.add(batch, {{"scores", floats({1, 2, 1, 2}, {1, 0, 0, 1})}}));
  EXPECT_DOUBLE_EQ(scorer.score().value, 1);
  batch.truths[0].of_input = false;
  expect_error(scorer.add(batch, {{"scores", floats({1, 2, 1, 2}, {1, 0, 0, 1})}}), ErrorCode::kInvalidInput,
               "[2, 4]");
}

TEST(Scorer, ReadsADetectorsOutputs) {
  EvaluationSpec spec = of(EvaluationMetric::kMeanAp);
  spec.detections = {"boxes", "scores", "classes", "count"};
  Scorer scorer = scorer_of(spec, {"count", "boxes", "scores", "classes"});
  EXPECT_THAT(scorer.outputs(), ElementsAre("boxes", "scores", "classes", "count"));
  Batch batch = batch_of(1, 1);
  batch.truths[0].has_boxes = true;
  batch.truths[0].boxes = {{{0, 0, 10, 10}, 1, false}};
  const NamedTensors outputs = {{"boxes", floats({1, 2, 4}, {0, 0, 10, 10, 7, 7, 8, 8})},
                                {"scores", floats({1, 2, 1}, {0.9F, 0.95F})},
                                {"classes", Tensor::from<std::int64_t>({1, 2}, {1, -1})},
                                {"count", Tensor::from<std::int32_t>({1}, {1})}};
  expect_ok(scorer.add(batch, outputs));
  const Score score = scorer.score();
  EXPECT_DOUBLE_EQ(score.value, 1);
  EXPECT_TRUE(score.per_sample.empty());
}

TEST(Scorer, AgreementIsThatOfTheWorstOutputOnTheWorstSample) {
  Scorer scorer = expect_ok(Scorer::create(Contract(), outputs_of({"a", "b"})));
  EXPECT_TRUE(scorer.needs_reference());
  const NamedTensors reference = {{"a", floats({2, 1}, {1, 1})}, {"b", floats({2, 2}, {3, 4, 3, 4})}};
  const NamedTensors other = {{"a", floats({2, 1}, {1, 1.1F})}, {"b", floats({2, 2}, {3, 3, 3, 4})}};
  expect_ok(scorer.add(batch_of(2, 2), other, &reference));
  const Score score = scorer.score();
  EXPECT_THAT(score.per_sample,
              ElementsAre(testing::DoubleNear(0.96, 1e-9), testing::DoubleNear(0.99, 1e-6)));
  EXPECT_NEAR(score.value, 0.96, 1e-9);
  EXPECT_EQ(score.agreement->worst_sample(), 0U);
  expect_error(scorer.add(batch_of(2, 2), other), ErrorCode::kUsage, "float model");
}

TEST(Scorer, AgreementOfClassesAndOfBoxes) {
  EvaluationSpec spec = of(EvaluationMetric::kAgreement);
  spec.compare = AgreementKind::kClasses;
  Scorer classes = scorer_of(spec, {"scores"});
  const NamedTensors reference = {{"scores", floats({1, 2, 2}, {1, 0, 0, 1})}};
  const NamedTensors other = {{"scores", floats({1, 2, 2}, {1, 1, 0, 0})}};
  expect_ok(classes.add(batch_of(1, 1), other, &reference));
  EXPECT_DOUBLE_EQ(classes.score().value, 0.5);

  spec.compare = AgreementKind::kBoxes;
  spec.threshold = 0.5;
  spec.detections = {"boxes", "scores", "classes", ""};
  Scorer boxes = scorer_of(spec, {"boxes", "scores", "classes"});
  NamedTensors outputs = {{"boxes", floats({2, 4}, {0, 0, 9, 9, 50, 50, 59, 59})},
                          {"scores", floats({2}, {0.9F, 0.6F})},
                          {"classes", floats({2}, {0, 1})}};
  const NamedTensors expected = outputs;
  outputs["scores"] = floats({2}, {0.9F, 0.4F});
  expect_ok(boxes.add(batch_of(1, 1), outputs, &expected));
  EXPECT_DOUBLE_EQ(boxes.score().value, 2.0 / 3) << "one is below the threshold now";
}

TEST(Scorer, SaysWhatASampleLacks) {
  const NamedTensors scores = {{"scores", floats({1, 2, 1, 1}, {1, 0})}};
  Batch batch = batch_of(1, 1);
  batch.items[0].label = -1;
  Scorer labels = scorer_of(of(EvaluationMetric::kTop1), {"scores"});
  expect_error(labels.add(batch, scores), ErrorCode::kInvalidInput, "no label; top1 needs 'labels'");
  Scorer maps = scorer_of(of(EvaluationMetric::kMeanIou), {"scores"});
  expect_error(maps.add(batch, scores), ErrorCode::kInvalidInput, "data.npz row 0");
  expect_error(maps.add(batch, scores), ErrorCode::kInvalidInput, "no label map");
  expect_error(maps.add(batch, {}), ErrorCode::kNotFound, "'scores' was not given");
  EvaluationSpec spec = of(EvaluationMetric::kMeanAp);
  spec.detections = {"boxes", "scores", "classes", ""};
  expect_error(Scorer::create(spec, {"a"}, outputs_of({"boxes", "scores"})), ErrorCode::kNotFound,
               "no output 'classes'; the model's outputs are: boxes, scores");
  expect_error(Scorer::create(of(EvaluationMetric::kTop1), {"a", "b"}, outputs_of({"boxes", "scores"})),
               ErrorCode::kNotFound, "the contract names no output");
}

TEST(ReadDetections, RefusesShapesThatDoNotFit) {
  const DetectionOutputs names = {"boxes", "scores", "classes", "count"};
  NamedTensors outputs = {{"boxes", floats({1, 2, 4}, std::vector<float>(8))},
                          {"scores", floats({1, 2}, {0, 0})},
                          {"classes", floats({1, 2}, {0, 0})},
                          {"count", floats({1}, {2})}};
  EXPECT_EQ(expect_ok(read_detections(outputs, names, 1)).front().size(), 2U);
  expect_error(read_detections(outputs, names, 2), ErrorCode::kInvalidInput, "of 2 samples");
  outputs["count"] = floats({1}, {3});
  expect_error(read_detections(outputs, names, 1), ErrorCode::kInvalidInput, "expected 0 to 2");
  outputs["count"] = floats({2}, {1, 1});
  expect_error(read_detections(outputs, names, 1), ErrorCode::kInvalidInput, "'count' to be [1]");
  outputs["scores"] = floats({1, 3}, {0, 0, 0});
  expect_error(read_detections(outputs, names, 1), ErrorCode::kInvalidInput, "'scores' to be [1, 2]");
  outputs["boxes"] = floats({1, 2, 5}, std::vector<float>(10));
  expect_error(read_detections(outputs, names, 1), ErrorCode::kInvalidInput, "[1, 2, 5]");
}

}  // namespace
}  // namespace tarmac::test

// Each fault changes exactly what it says, and a model that adds up shows by its sums what it got.
#include "verify/faults.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <random>

#include "runtime/example_models.h"
#include "support/expect.h"
#include "support/temporary_folder.h"
#include "tensor/io.h"
#include "verify/evaluate.h"

namespace tarmac::test {
namespace {

using testing::ElementsAre;

constexpr std::size_t kFrames = 12;
constexpr std::size_t kCameras = 3;

std::vector<float> numbers(const Tensor& tensor) {
  const auto values = tensor.data<float>();
  return {values.begin(), values.end()};
}

Batch frame(float first, bool starts_scene) {
  Batch batch;
  batch.starts_scene = starts_scene;
  batch.inputs["images"] = Tensor::from<float>({1, 2, 2, 1}, {first, first + 1, first + 2, first + 3});
  batch.inputs["speed"] = Tensor::from<float>({1}, {first});
  return batch;
}

/// What the model gets for the image of a frame.
std::vector<float> given(FaultInjector& injector, Batch batch) {
  const Batch before = batch;
  expect_ok(injector.apply(batch));
  EXPECT_EQ(numbers(batch.inputs.at("speed")), numbers(before.inputs.at("speed")));
  EXPECT_EQ(batch.starts_scene, before.starts_scene);
  const float first = before.inputs.at("speed").data<float>()[0];
  EXPECT_THAT(numbers(before.inputs.at("images")), ElementsAre(first, first + 1, first + 2, first + 3))
      << "the reader's own tensor was written into";
  return numbers(batch.inputs.at("images"));
}

TEST(FaultInjector, DropsASliceOfAnyAxisOrTheWholeInput) {
  FaultInjector camera({.kind = FaultKind::kDrop, .input = "images", .axis = 1, .index = 1});
  EXPECT_THAT(given(camera, frame(1, true)), ElementsAre(1, 2, 0, 0));
  EXPECT_THAT(given(camera, frame(5, false)), ElementsAre(5, 6, 0, 0));
  FaultInjector row({.kind = FaultKind::kDrop, .input = "images", .axis = 2, .index = 0});
  EXPECT_THAT(given(row, frame(1, true)), ElementsAre(0, 2, 0, 4));
  FaultInjector all({.kind = FaultKind::kDrop, .input = "images"});
  EXPECT_THAT(given(all, frame(1, true)), ElementsAre(0, 0, 0, 0));
}

TEST(FaultInjector, GivesFramesOfTheSameSceneLate) {
  FaultInjector late({.kind = FaultKind::kLate, .input = "images", .frames = 2});
  std::vector<float> firsts;
  for (const float number : {1.0F, 2.0F, 3.0F, 4.0F})
    firsts.push_back(given(late, frame(number, number == 1))[0]);
  for (const float number : {10.0F, 11.0F, 12.0F, 13.0F})
    firsts.push_back(given(late, frame(number, number == 10))[0]);
  EXPECT_THAT(firsts, ElementsAre(1, 1, 1, 2, 10, 10, 10, 11));
}

TEST(FaultInjector, ShufflesSoThatNoSliceStaysAndAlwaysTheSameWay) {
  Batch batch;
  batch.inputs["images"] = Tensor::from<float>({1, 6}, {0, 1, 2, 3, 4, 5});
  std::vector<std::vector<float>> orders;
  for (const std::uint64_t seed : {7U, 7U, 8U, 9U}) {
    FaultInjector shuffle({.kind = FaultKind::kShuffle, .input = "images", .axis = 1, .seed = seed});
    Batch first = batch;
    Batch second = batch;
    expect_ok(shuffle.apply(first));
    expect_ok(shuffle.apply(second));
    orders.push_back(numbers(first.inputs.at("images")));
    EXPECT_EQ(orders.back(), numbers(second.inputs.at("images")));
    for (std::size_t i = 0; i < 6; ++i) EXPECT_NE(orders.back()[i], static_cast<float>(i));
    EXPECT_THAT(orders.back(), testing::UnorderedElementsAre(0, 1, 2, 3, 4, 5));
  }
  EXPECT_EQ(orders[0], orders[1]);
  EXPECT_TRUE(orders[2] != orders[0] || orders[3] != orders[0]);
}

TEST(FaultInjector, MovesOnlyWhereScenesStartWhereStateIsMeant) {
  FaultInjector never({.kind = FaultKind::kNeverReset});
  FaultInjector always({.kind = FaultKind::kAlwaysReset});
  for (const bool starts : {true, false}) {
    Batch batch = frame(1, starts);
    expect_ok(never.apply(batch));
    EXPECT_FALSE(batch.starts_scene);
    expect_ok(always.apply(batch));
    EXPECT_TRUE(batch.starts_scene);
    EXPECT_THAT(numbers(batch.inputs.at("images")), ElementsAre(1, 2, 3, 4));
  }
}

TEST(FaultInjector, RefusesWhatTheDataDoNotHave) {
  const auto refused = [](const FaultSpec& fault, ErrorCode code, const std::string& text) {
    FaultInjector injector(fault);
    Batch batch = frame(1, true);
    expect_error(injector.apply(batch), code, text);
  };
  refused({.kind = FaultKind::kDrop, .input = "lidar"}, ErrorCode::kNotFound, "does not have");
  refused({.kind = FaultKind::kDrop, .input = "images", .axis = 1, .index = 2}, ErrorCode::kInvalidInput,
          "slice 2 of axis 1");
  refused({.kind = FaultKind::kDrop, .input = "images", .axis = 0}, ErrorCode::kInvalidInput,
          "samples of a batch");
  refused({.kind = FaultKind::kDrop, .input = "images", .axis = 4}, ErrorCode::kInvalidInput, "axis 4");
  refused({.kind = FaultKind::kShuffle, .input = "images", .axis = 3}, ErrorCode::kInvalidInput, "one slice");
}

TEST(FaultInjector, HasNamesForTables) {
  EXPECT_EQ(to_string(FaultSpec{.kind = FaultKind::kNeverReset}), "never_reset");
  EXPECT_EQ(to_string(FaultSpec{.kind = FaultKind::kDrop, .input = "images", .axis = 1, .index = 2}),
            "drop images[axis 1: 2]");
  EXPECT_EQ(to_string(FaultSpec{.kind = FaultKind::kDrop, .input = "lidar"}), "drop lidar");
  EXPECT_EQ(to_string(FaultSpec{.kind = FaultKind::kLate, .input = "images"}), "late images by 1 frame");
  EXPECT_EQ(to_string(FaultSpec{.kind = FaultKind::kShuffle, .input = "images", .axis = 1}),
            "shuffle images[axis 1]");
}

/// Each camera votes for two classes; votes count 1, 2 and 4 times, and those of the past half as much.
constexpr const char* kVotes = R"(
  <ir_version: 8, opset_import: ["" : 17]>
  votes (float[1, 3, 2] cameras, float[1, 2] before) => (float[1, 2] scores, float[1, 2] after)
  <float[1, 3, 1] weights = {1, 2, 4}, int64[1] one = {1}, float[1] half = {0.5}> {
    weighted = Mul(cameras, weights)
    now = ReduceSum <keepdims = 0> (weighted, one)
    past = Mul(before, half)
    after = Add(now, past)
    scores = Identity(after)
  })";

class FaultyVotes : public testing::Test {
 protected:
  void SetUp() override {
    if (computing_targets().empty()) GTEST_SKIP() << "no engine was built in";
    std::mt19937 random(3);
    for (std::size_t i = 0; i < kFrames * kCameras * 2; ++i)
      votes_.push_back(static_cast<float>(random() % 17));
    DataSource source;
    source.kind = DataKind::kTensors;
    source.path = folder_ / "frames.npz";
    source.labels = LabelSource::kFromFile;
    std::vector<std::int64_t> scenes;
    for (std::size_t i = 0; i < kFrames; ++i) scenes.push_back(i < 5 ? 0 : i < 7 ? 1 : 2);
    begins_ = {0, 5, 7};
    ASSERT_TRUE(write_npz(source.path, {{"cameras", Tensor::from<float>({kFrames, kCameras, 2}, votes_)},
                                        {"scenes", Tensor::from<std::int64_t>({kFrames}, scenes)},
                                        {"labels", Tensor::from<std::int64_t>(
                                                       {kFrames}, std::vector<std::int64_t>(kFrames, 0))}})
                    .ok());
    InputSpec input;
    input.name = "cameras";
    input.shape = {{0, "batch"}, {3, ""}, {2, ""}};
    contract_.inputs = {input};
    contract_.labels = {"left", "right"};
    contract_.evaluation.emplace().output = "scores";
    contract_.sequence = SequenceSpec{SceneSource::kArray, {{"after", "before", {}}}};
    data_.emplace(expect_ok(Dataset::open(contract_, source)));
    executable_ = expect_ok(
        expect_ok(find_target(computing_targets().front()))->compile(model_of(kVotes), {}, no_progress()));
  }

  std::vector<Prediction> evaluated(const FaultSpec* fault) {
    Executable* const one[] = {executable_.get()};
    return expect_ok(evaluate(one, contract_, *data_, {}, no_progress(), nullptr, fault)).front().predictions;
  }

  /// By hand: frame by frame, `camera(i, c)` being the frame and camera whose votes stand at that place (a
  /// frame of kFrames: zeros), `resets(i)` whether the past is forgotten before frame i.
  template <typename Camera, typename Resets>
  std::vector<double> by_hand(const Camera& camera, const Resets& resets) {
    std::vector<double> probabilities;
    std::vector<double> past(2);
    for (std::size_t i = 0; i < kFrames; ++i) {
      if (resets(i)) past = {0, 0};
      for (std::size_t k = 0; k < 2; ++k) {
        past[k] *= 0.5;
        for (std::size_t c = 0; c < kCameras; ++c) {
          const auto [frame, place] = camera(i, c);
          if (frame < kFrames)
            past[k] += std::array{1.0, 2.0, 4.0}[c] * votes_[(frame * kCameras + place) * 2 + k];
        }
      }
      probabilities.push_back(1 / (1 + std::exp(-std::abs(past[0] - past[1]))) *
                              (past[1] > past[0] ? -1 : 1));
    }
    return probabilities;
  }

  void expect_equal(const std::vector<Prediction>& found, const std::vector<double>& expected) {
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_NEAR(found[i].probability * (found[i].predicted == 1 ? -1 : 1), expected[i], 1e-5) << i;
    }
  }

  [[nodiscard]] bool begins(std::size_t frame) const {
    return std::find(begins_.begin(), begins_.end(), frame) != begins_.end();
  }

  using Place = std::pair<std::size_t, std::size_t>;
  TemporaryFolder folder_;
  std::vector<float> votes_;
  std::vector<std::size_t> begins_;
  Contract contract_;
  std::optional<Dataset> data_;
  std::unique_ptr<Executable> executable_;
};

TEST_F(FaultyVotes, CountAsALoopByHandSays) {
  const auto as_it_is = [](std::size_t i, std::size_t c) { return Place(i, c); };
  const auto at_scenes = [&](std::size_t i) { return begins(i); };
  const std::vector<double> right = by_hand(as_it_is, at_scenes);
  expect_equal(evaluated(nullptr), right);

  const FaultSpec never{.kind = FaultKind::kNeverReset};
  const auto without_resets = by_hand(as_it_is, [](std::size_t) { return false; });
  EXPECT_NE(without_resets, right);
  expect_equal(evaluated(&never), without_resets);

  const FaultSpec always{.kind = FaultKind::kAlwaysReset};
  expect_equal(evaluated(&always), by_hand(as_it_is, [](std::size_t) { return true; }));

  const FaultSpec drop{.kind = FaultKind::kDrop, .input = "cameras", .axis = 1, .index = 2};
  expect_equal(
      evaluated(&drop),
      by_hand([](std::size_t i, std::size_t c) { return Place(c == 2 ? kFrames : i, c); }, at_scenes));

  const FaultSpec late{.kind = FaultKind::kLate, .input = "cameras"};
  expect_equal(
      evaluated(&late),
      by_hand([&](std::size_t i, std::size_t c) { return Place(begins(i) ? i : i - 1, c); }, at_scenes));

  const FaultSpec shuffle{.kind = FaultKind::kShuffle, .input = "cameras", .axis = 1, .seed = 2};
  Batch order;
  order.inputs["cameras"] = Tensor::from<float>({1, 3}, {0, 1, 2});
  FaultInjector injector(shuffle);
  expect_ok(injector.apply(order));
  const std::vector<float> from = numbers(order.inputs.at("cameras"));
  expect_equal(
      evaluated(&shuffle),
      by_hand([&](std::size_t i, std::size_t c) { return Place(i, static_cast<std::size_t>(from[c])); },
              at_scenes));
}

TEST_F(FaultyVotes, AgreeLessWithWhatTheModelSaysOfTheDataAsTheyAre) {
  contract_.evaluation->metric = EvaluationMetric::kAgreement;
  Executable* const one[] = {executable_.get()};
  const auto agreement = [&](const FaultSpec* fault) {
    return expect_ok(evaluate(one, contract_, *data_, {}, no_progress(), executable_.get(), fault))
        .front()
        .score.value;
  };
  EXPECT_DOUBLE_EQ(agreement(nullptr), 1);
  const FaultSpec never{.kind = FaultKind::kNeverReset};
  EXPECT_LT(agreement(&never), 1);
  const FaultSpec drop{.kind = FaultKind::kDrop, .input = "cameras", .axis = 1, .index = 2};
  EXPECT_LT(agreement(&drop), 1);
}

}  // namespace
}  // namespace tarmac::test

// The contract of a model that finds boxes in space.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "contract/scratch.h"
#include "tarmac/contract.h"

namespace tarmac {
namespace {

using testing::ElementsAre;

Result<Contract> with(std::string_view found = {}, std::string_view replaced = {}) {
  std::string text(kGoodDetections3d);
  const std::size_t at = text.find(found);
  EXPECT_NE(at, std::string::npos) << found;
  text.replace(at, found.size(), replaced);
  ContractOptions options;
  options.files_must_exist = false;
  return parse_contract(text, "deploy.yaml", options);
}

TEST(Detections3d, AreReadFromTheContract) {
  const auto contract = with();
  ASSERT_TRUE(contract.ok()) << contract.error().str();
  const DetectionOutputs& outputs = *contract->detections;
  EXPECT_EQ(outputs.decoder, DetectionDecoder::kCenterPoint);
  EXPECT_DOUBLE_EQ(outputs.min_score, 0.3);
  const CenterPointOutputs& maps = *outputs.center_point;
  EXPECT_EQ(maps.rotation, "rotation");
  EXPECT_EQ(maps.velocity, "velocity");
  EXPECT_THAT(maps.range, ElementsAre(-25.6, -12.8, -3, 25.6, 12.8, 5));
  EXPECT_THAT(maps.cell, ElementsAre(0.8, 0.4));
  EXPECT_EQ(maps.max_boxes, 50);
  EXPECT_DOUBLE_EQ(maps.min_distance, 1.5);
  EXPECT_EQ(outputs.view->images, "images");
  EXPECT_EQ(outputs.view->projection, "projection");

  EXPECT_EQ(contract->evaluation->metric, EvaluationMetric::kNuScenes);
  EXPECT_EQ(contract->evaluation->detections.center_point->heatmap, "heatmap") << "said once for both";
  EXPECT_DOUBLE_EQ(contract->evaluation->detections.min_score, 0.05) << "weak ones count in evaluation";
  EXPECT_DOUBLE_EQ(*contract->acceptance.nds_drop, 0.02);
  EXPECT_DOUBLE_EQ(*contract->acceptance.velocity_error_rise, 0.1);
}

TEST(Detections3d, HaveDefaults) {
  const auto contract = with("  max_boxes: 50\n  min_score: 0.3\n  min_distance: 1.5\n", "");
  ASSERT_TRUE(contract.ok()) << contract.error().str();
  EXPECT_EQ(contract->detections->center_point->max_boxes, 100);
  EXPECT_EQ(contract->detections->center_point->min_distance, 0);
  EXPECT_DOUBLE_EQ(contract->detections->min_score, 0.25);
  EXPECT_TRUE(with("  velocity: velocity\n", "")->detections->center_point->velocity.empty());
  EXPECT_FALSE(with("  view: {images: images, projection: projection}\n", "")->detections->view.has_value());
}

TEST(Detections3d, MayBeOthersForTheEvaluation) {
  const auto contract =
      with("metric: nuscenes",
           "metric: nuscenes, outputs: {decoder: centerpoint, heatmap: h, offset: o, height: z, size: s, "
           "rotation: r, range: [0, 0, 0, 8, 8, 1], cell: [1, 1], min_score: 0.1}");
  ASSERT_TRUE(contract.ok()) << contract.error().str();
  EXPECT_EQ(contract->evaluation->detections.center_point->height, "z");
  EXPECT_DOUBLE_EQ(contract->evaluation->detections.min_score, 0.1);
  EXPECT_EQ(contract->detections->center_point->height, "height");
}

struct Bad {
  std::string_view found;
  std::string_view replaced;
  const char* message;
};

TEST(Detections3d, AreRefusedWithTheLineWhereTheyMakeNoSense) {
  const Bad cases[] = {
      {"  rotation: rotation\n", "", "11: detections: the key 'rotation' is missing; it is mandatory here"},
      {"  offset: offset", "  ofset: offset",
       "14: detections: found the unknown key 'ofset'; did you mean 'offset'? allowed: decoder, heatmap, "
       "offset, "
       "height, size, rotation, velocity, range, cell, max_boxes, min_score, min_distance, view"},
      {"cell: [0.8, 0.4]", "cell: 0.8",
       "20: detections.cell: found '0.8'; expected the size of a cell along x and y in metres"},
      {"cell: [0.8, 0.4]", "cell: [0.8, 0]",
       "20: detections.cell: found a list of 2; expected sizes above 0, in metres"},
      {"range: [-25.6, -12.8, -3, 25.6, 12.8, 5]", "range: [-25.6, -12.8, 25.6, 12.8]",
       "19: detections.range: found a list of 4; expected lower x, y, z and upper x, y, z of the map in "
       "metres"},
      {"range: [-25.6, -12.8, -3, 25.6, 12.8, 5]", "range: [-25.6, -12.8, 5, 25.6, 12.8, 5]",
       "19: detections.range: found a lower bound that is not below its upper one; expected [x, y, z, x, y, "
       "z], "
       "first the lower"},
      {"max_boxes: 50", "max_boxes: 0",
       "21: detections.max_boxes: found '0'; expected a whole number from 1 to 10000"},
      {"min_distance: 1.5", "min_distance: -1",
       "23: detections.min_distance: found '-1'; expected a distance in metres, 0 or more"},
      {"images: images,", "images: image,",
       "24: detections.view.images: found 'image'; did you mean 'images'? allowed: images, projection"},
      {"{images: images, projection: projection}", "{images: projection, projection: projection}",
       "24: detections.view.images: the input 'projection' does not fit; expected uint8 [batch, cameras, 3, "
       "height, width]"},
      {"labels: [car, pedestrian]\n", "",
       "9: data.evaluation.labels: the section 'labels' is missing; it names the classes in order"},
      {"npz: frames.npz, labels: from_file", "npz: frames.npz",
       "25: evaluation.metric: nuscenes needs 3-D boxes, in the array 'labels' of an .npz; add 'labels: "
       "from_file' to data.evaluation"},
      {"metric: nuscenes", "metric: map",
       "25: evaluation.metric: decoder: centerpoint gives 3-D boxes; write metric: nuscenes"},
      {"metric: nuscenes", "metric: nuscenes, outputs: {decoder: yolov8, head: h}",
       "25: evaluation.metric: nuscenes judges 3-D boxes; it needs decoder: centerpoint"},
      {"evaluation: {metric: nuscenes}", "evaluation: {metric: agreement}",
       "26: acceptance.nds_drop: nds_drop needs evaluation: {metric: nuscenes}"},
      {"0.1 m/s", "0.1",
       "26: acceptance.velocity_error_rise: found '0.1'; expected a speed of at least 0 m/s, such as 0.1 "
       "m/s"},
  };
  for (const Bad& bad : cases) {
    const auto contract = with(bad.found, bad.replaced);
    ASSERT_FALSE(contract.ok()) << bad.message;
    EXPECT_EQ(contract.error().str(), std::string("deploy.yaml:") + bad.message);
  }
}

}  // namespace
}  // namespace tarmac

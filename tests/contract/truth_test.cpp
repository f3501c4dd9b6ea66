// Label maps and boxes on their way to the model's input.
#include "contract/truth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include <opencv2/imgcodecs.hpp>

#include "contract/batch_reader.h"
#include "contract/scratch.h"
#include "support/expect.h"
#include "tensor/io.h"

namespace tarmac::test {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;

Contract contract_with(std::vector<PreprocessStep> steps) {
  Contract contract;
  InputSpec input;
  input.name = "image";
  input.shape = {{0, "batch"}, {3, ""}, {0, "h"}, {0, "w"}};
  input.layout = Layout::kNCHW;
  input.preprocess = std::move(steps);
  input.preprocess.insert(input.preprocess.begin(), DecodeStep{});
  contract.inputs = {input};
  contract.labels = {"other", "road", "lane"};
  return contract;
}

class TruthTest : public testing::Test {
 protected:
  void picture(const std::string& name, int height, int width) const {
    std::filesystem::create_directories((scratch / name).parent_path());
    ASSERT_TRUE(cv::imwrite((scratch / name).string(), cv::Mat(height, width, CV_8UC3, cv::Scalar::all(9))));
  }

  /// Labels 0, 1, 2, … row by row.
  void mask(const std::string& name, int height, int width) const {
    cv::Mat labels(height, width, CV_8UC1);
    for (int i = 0; i < height * width; ++i)
      labels.at<std::uint8_t>(i / width, i % width) = static_cast<std::uint8_t>(i);
    std::filesystem::create_directories((scratch / name).parent_path());
    ASSERT_TRUE(cv::imwrite((scratch / name).string(), labels));
  }

  [[nodiscard]] DataSource masks() const {
    DataSource source;
    source.path = scratch / "pictures";
    source.labels = LabelSource::kMasks;
    source.truth = scratch / "masks";
    return source;
  }

  [[nodiscard]] DataSource boxes(const std::string& json) const {
    DataSource source;
    source.path = scratch / "pictures";
    source.labels = LabelSource::kBoxes;
    source.truth = scratch.write("coco.json", json);
    return source;
  }

  static Truth first(const Contract& contract, const DataSource& source) {
    const Dataset dataset = expect_ok(Dataset::open(contract, source));
    return expect_ok(dataset.load_truth(0));
  }

  static std::vector<int> labels_of(const Truth& truth) {
    const auto labels = truth.label_map.data<std::uint8_t>();
    return {labels.begin(), labels.end()};
  }

  Scratch scratch;
};

TEST_F(TruthTest, AMaskIsPaddedWithItsPicture) {
  picture("pictures/town/a.jpg", 2, 4);
  mask("masks/town/a.png", 2, 4);
  const Truth truth =
      first(contract_with({ResizeStep{4, 4, Interpolation::kLinear, ResizeMode::kLetterbox, {}}}), masks());
  EXPECT_EQ(truth.label_map.shape(), (Shape{4, 4}));
  EXPECT_TRUE(truth.of_input);
  EXPECT_THAT(labels_of(truth), ElementsAreArray({255, 255, 255, 255, 0, 1, 2, 3,  //
                                                  4, 5, 6, 7, 255, 255, 255, 255}));
}

TEST_F(TruthTest, AMaskIsResizedToTheNearestCentreAndCropped) {
  picture("pictures/a.jpg", 8, 8);
  mask("masks/a.png", 8, 8);
  const Truth truth = first(contract_with({ResizeStep{4, 4, Interpolation::kArea, ResizeMode::kStretch, {}},
                                           CropStep{2, 2, false, 1, 0}, PadStep{0, 0, 1, 0, {}}}),
                            masks());
  // Of rows and columns 1, 3, 5, 7 the crop takes rows 3, 5 and columns 1, 3.
  EXPECT_THAT(labels_of(truth), ElementsAre(255, 25, 27, 255, 41, 43));
}

TEST_F(TruthTest, AMaskIsStraightenedWithItsPicture) {
  picture("pictures/a.jpg", 2, 4);
  mask("masks/a.png", 2, 4);
  UndistortStep step{2, 4, {}};
  step.lens.camera = {1, 1, 0, 0};
  step.lens.undistorted = {1, 1, 2, 0};  // two columns to the right
  EXPECT_THAT(labels_of(first(contract_with({step}), masks())), ElementsAre(255, 255, 0, 1, 255, 255, 4, 5));
}

TEST_F(TruthTest, AMaskOfAnotherSizeIsTakenAsItIs) {
  picture("pictures/a.jpg", 8, 8);
  mask("masks/a.png", 4, 4);
  const Contract contract =
      contract_with({ResizeStep{4, 4, Interpolation::kLinear, ResizeMode::kStretch, {}}});
  EXPECT_TRUE(first(contract, masks()).of_input) << "it has the input's size";
  mask("masks/a.png", 1, 2);
  const Truth truth = first(contract, masks());
  EXPECT_FALSE(truth.of_input);
  EXPECT_THAT(labels_of(truth), ElementsAre(0, 1));
}

TEST_F(TruthTest, RefusesMasksWhoseValuesWouldChange) {
  picture("pictures/a.jpg", 8, 8);
  const Contract contract = contract_with({});
  expect_error(Dataset::open(contract, masks()), ErrorCode::kNotFound, "there is no label map");
  mask("masks/a.png", 8, 8);
  const Dataset dataset = expect_ok(Dataset::open(contract, masks()));
  const auto path = (scratch / "masks/a.png").string();
  ASSERT_TRUE(cv::imwrite(path, cv::Mat(8, 8, CV_8UC1, cv::Scalar(1)), {cv::IMWRITE_PNG_BILEVEL, 1}));
  expect_error(dataset.load_truth(0), ErrorCode::kInvalidInput, "a PNG of 1 bits and colour type 0");
  ASSERT_TRUE(cv::imwrite(path, cv::Mat(8, 8, CV_8UC3, cv::Scalar::all(1))));
  expect_error(dataset.load_truth(0), ErrorCode::kInvalidInput, "colour type 2");
  scratch.write("masks/a.png", "P5 1 1 255 x");
  expect_error(dataset.load_truth(0), ErrorCode::kInvalidInput, "masks/a.png");
}

TEST_F(TruthTest, BatchesCarryTheTruthOfTheirSamples) {
  for (const char* name : {"a", "b", "c"}) {
    picture(std::string("pictures/") + name + ".jpg", 2, 2);
    mask(std::string("masks/") + name + ".png", 2, name[0] == 'b' ? 1 : 2);
  }
  const Contract contract = contract_with({});
  const Dataset dataset = expect_ok(Dataset::open(contract, masks()));
  BatchOptions options;
  options.batch_size = 2;
  const auto reader = expect_ok(BatchReader::open(contract, dataset, options));
  const auto batch = expect_ok(reader->next());
  ASSERT_TRUE(batch.has_value());
  ASSERT_EQ(batch->truths.size(), 2U);
  EXPECT_EQ(batch->truths[1].label_map.shape(), (Shape{2, 1}));
}

constexpr const char* kCoco = R"({
  "info": {"year": 2020}, "licenses": [],
  "categories": [{"id": 7, "name": "road"}, {"id": 3, "name": "lane"}, {"id": 4, "name": "bird"}],
  "images": [{"id": 1, "file_name": "town/a.jpg", "width": 8, "height": 4}, {"id": 2, "file_name": "b.jpg"}],
  "annotations": [
    {"id": 1, "image_id": 1, "category_id": 7, "bbox": [1, 1, 2, 2], "iscrowd": 0, "segmentation": [[1, 2]]},
    {"id": 2, "image_id": 1, "category_id": 3, "bbox": [6, 0, 2, 4], "iscrowd": 1},
    {"id": 3, "image_id": 1, "category_id": 3, "bbox": [0, 0, 0.5, 4]}]})";

std::string coco_with(std::string_view found, std::string_view replaced) {
  std::string text = kCoco;
  return text.replace(text.find(found), found.size(), replaced);
}

TEST_F(TruthTest, BoxesGoThroughTheGeometryOfTheirPicture) {
  picture("pictures/town/a.jpg", 4, 8);
  picture("pictures/z/b.jpg", 4, 8);
  // Doubled to 8 x 16, of which columns 2 to 14 remain, with 3 columns before them.
  const Contract contract =
      contract_with({ResizeStep{8, 16, Interpolation::kLinear, ResizeMode::kStretch, {}},
                     CropStep{8, 12, false, 0, 2}, PadStep{1, 0, 3, 0, {}}});
  const Dataset dataset = expect_ok(Dataset::open(contract, boxes(kCoco)));
  const Truth truth = expect_ok(dataset.load_truth(0));
  EXPECT_TRUE(truth.has_boxes);
  ASSERT_EQ(truth.boxes.size(), 3U);
  EXPECT_EQ(truth.boxes[0], (LabelledBox{{3, 3, 7, 7}, 1, false}));
  EXPECT_EQ(truth.boxes[1], (LabelledBox{{13, 1, 15, 9}, 2, true})) << "cut at the input's edge";
  const Truth other = expect_ok(dataset.load_truth(1));
  EXPECT_TRUE(other.has_boxes) << "found by the file's name";
  EXPECT_TRUE(other.boxes.empty());
}

TEST_F(TruthTest, RefusesCocoFilesThatMakeNoSense) {
  const std::vector<std::string> labels = {"other", "road", "lane"};
  const struct {
    const char* found;
    const char* replaced;
    const char* expected;
  } cases[] = {
      {"{", "[", "found no JSON object"},
      {"\"images\"", "\"pictures\"", "the file: the member 'images' is missing"},
      {"\"categories\": [", "\"categories\": 3, \"x\": [", "categories: expected a list"},
      {"\"id\": 7", "\"id\": \"7\"", "categories[0].id: expected a whole number"},
      {"\"id\": 3, \"name\"", "\"id\": 7, \"name\"", "categories[1].id: found 7 again"},
      {"\"name\": \"road\"", "\"nme\": \"road\"", "categories[0]: the member 'name' is missing"},
      {"\"id\": 2, \"file", "\"id\": 1, \"file", "images[1].id: found 1 again"},
      {"b.jpg", "town/a.jpg", "images[1].file_name: found 'town/a.jpg' again"},
      {"\"image_id\": 1, \"category_id\": 7", "\"image_id\": 9, \"category_id\": 7",
       "annotations[0].image_id: there is no image 9"},
      {"\"category_id\": 7", "\"category_id\": 4",
       "annotations[0].category_id: its category 'bird' is no label of the contract"},
      {"\"category_id\": 7", "\"category_id\": 12", "annotations[0].category_id: there is no category 12"},
      {"[1, 1, 2, 2]", "[1, 1, 2]", "annotations[0].bbox: expected [x, y, width, height]"},
      {"[1, 1, 2, 2]", "[1, 1, -2, 2]", "annotations[0].bbox: expected [x, y, width, height]"},
      {"[1, 1, 2, 2]", "[1, null, 2, 2]", "annotations[0].bbox: expected [x, y, width, height]"},
      {"\"iscrowd\": 1", "\"iscrowd\": \"yes\"", "annotations[1].iscrowd: expected a whole number"},
  };
  for (const auto& one : cases) {
    const auto file = scratch.write("bad.json", coco_with(one.found, one.replaced));
    const auto read = read_coco(file, labels);
    expect_error(read, ErrorCode::kInvalidInput, one.expected);
    EXPECT_EQ(read.error().context, file.string());
  }
  picture("pictures/c.jpg", 4, 8);
  expect_error(Dataset::open(contract_with({}), boxes(kCoco)), ErrorCode::kInvalidInput,
               "no entry in 'images'");
}

class TensorTruth : public TruthTest {
 protected:
  [[nodiscard]] Result<Dataset> open(const Tensor& labels) const {
    Contract contract;
    InputSpec input;
    input.name = "x";
    input.shape = {{0, "batch"}, {2, ""}};
    contract.inputs = {input};
    contract.labels = {"other", "road"};
    TARMAC_CHECK_OK(write_npz(scratch / "data.npz",
                              {{"x", Tensor::from<float>({2, 2}, {1, 2, 3, 4})}, {"labels", labels}}));
    DataSource source;
    source.kind = DataKind::kTensors;
    source.path = scratch / "data.npz";
    source.labels = LabelSource::kFromFile;
    return Dataset::open(contract, source);
  }
};

TEST_F(TensorTruth, HasLabelMapsAsIntegersAndBoxesAsFloats) {
  const Dataset maps = expect_ok(open(Tensor::from<std::int64_t>({2, 1, 2}, {0, 1, 1, 255})));
  const Truth map = expect_ok(maps.load_truth(1));
  EXPECT_EQ(map.label_map.shape(), (Shape{1, 2}));
  EXPECT_THAT(map.label_map.data<std::int64_t>(), ElementsAre(1, 255));
  const Dataset boxes = expect_ok(open(Tensor::from<float>({2, 1, 5}, {0, 1, 2, 3, 4, -1, 0, 0, 0, 0})));
  EXPECT_THAT(expect_ok(boxes.load_truth(0)).boxes, ElementsAre(LabelledBox{{1, 2, 3, 4}, 0, false}));
  EXPECT_TRUE(expect_ok(boxes.load_truth(1)).boxes.empty());
}

TEST_F(TensorTruth, HasBoxesInSpaceWithVelocitiesOrWithout) {
  const Tensor moving =
      Tensor::from<float>({2, 1, 10}, {1, 2, 3, 4, 5, 6, 7, 0.5F, 8, 9, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  const Dataset boxes = expect_ok(open(moving));
  const Truth truth = expect_ok(boxes.load_truth(0));
  EXPECT_TRUE(truth.has_boxes_3d);
  EXPECT_FALSE(truth.has_boxes);
  EXPECT_THAT(truth.boxes_3d, ElementsAre(LabelledBox3d{{2, 3, 4, 5, 6, 7, 0.5, 8, 9}, 1}));
  EXPECT_TRUE(expect_ok(boxes.load_truth(1)).boxes_3d.empty()) << "a class below 0 fills up";
  const Dataset still =
      expect_ok(open(Tensor::from<float>({2, 1, 8}, {0, 2, 3, 4, 5, 6, 7, 0.5F, 0, 2, 3, 4, 5, 6, 7, 0.5F})));
  const auto one = expect_ok(still.load_truth(1)).boxes_3d;
  ASSERT_EQ(one.size(), 1U);
  EXPECT_TRUE(std::isnan(one[0].box.vx) && std::isnan(one[0].box.vy));
}

TEST_F(TensorTruth, RefusesOtherShapes) {
  expect_error(open(Tensor::from<float>({2, 1, 4}, std::vector<float>(8))), ErrorCode::kInvalidInput,
               "float32 [2, 1, 4]");
  expect_error(open(Tensor::from<std::int64_t>({1, 1, 2}, {0, 0})), ErrorCode::kInvalidInput,
               "expected 2 samples");
  const Dataset dataset = expect_ok(open(
      Tensor::from<float>({2, 1, 5}, {std::numeric_limits<float>::quiet_NaN(), 1, 2, 3, 4, 0, 0, 0, 0, 0})));
  expect_error(dataset.load_truth(0), ErrorCode::kInvalidInput, "no number");
}

}  // namespace
}  // namespace tarmac::test

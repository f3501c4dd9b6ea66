#include "contract/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <opencv2/imgcodecs.hpp>
#include <set>

#include "base/log.h"
#include "contract/batch_reader.h"
#include "contract/scratch.h"
#include "contract/subset.h"
#include "tensor/io.h"

namespace tarmac {
namespace {

/// A model with one picture input of 8 x 8 and the labels a, b, c.
Contract picture_contract() {
  Contract contract;
  InputSpec input;
  input.name = "image";
  input.shape = {{0, "batch"}, {3, ""}, {8, ""}, {8, ""}};
  input.layout = Layout::kNCHW;
  input.preprocess = {DecodeStep{}, ResizeStep{8, 8, Interpolation::kLinear, ResizeMode::kStretch, {}}};
  contract.inputs = {input};
  contract.labels = {"a", "b", "c"};
  return contract;
}

void write_picture(const Scratch& scratch, const std::string& name, int shade) {
  std::filesystem::create_directories((scratch / name).parent_path());
  ASSERT_TRUE(cv::imwrite((scratch / name).string(), cv::Mat(8, 8, CV_8UC3, cv::Scalar::all(shade))));
}

DataSource folder_source(const std::filesystem::path& path, LabelSource labels = LabelSource::kFromFolder) {
  DataSource source;
  source.path = path;
  source.labels = labels;
  return source;
}

TEST(Dataset, FolderIsSortedAndLabelledByItsFirstLevel) {
  const Scratch scratch;
  for (const char* name : {"data/b/2.png", "data/b/deep/1.PNG", "data/a/9.jpg", "data/c/0.bmp"})
    write_picture(scratch, name, 1);
  scratch.write("data/readme.txt", "not a picture");
  const auto dataset = Dataset::open(picture_contract(), folder_source(scratch / "data"));
  ASSERT_TRUE(dataset.ok()) << dataset.error().str();
  EXPECT_THAT(dataset->items(), testing::ElementsAre(DataItem{scratch / "data/a/9.jpg", -1, 0},
                                                     DataItem{scratch / "data/b/2.png", -1, 1},
                                                     DataItem{scratch / "data/b/deep/1.PNG", -1, 1},
                                                     DataItem{scratch / "data/c/0.bmp", -1, 2}));
  EXPECT_EQ(dataset->ignored_files(), 1U);
  const auto sample = dataset->load(1);
  ASSERT_TRUE(sample.ok()) << sample.error().str();
  EXPECT_EQ(sample->at("image").shape(), (Shape{1, 3, 8, 8}));
  EXPECT_EQ(sample->at("image").data<float>()[0], 1.0F);
}

TEST(Dataset, RefusesAFolderWithoutPicturesOrWithUnknownLabels) {
  const Scratch scratch;
  scratch.write("data/a/notes.txt", "");
  auto dataset = Dataset::open(picture_contract(), folder_source(scratch / "data"));
  ASSERT_FALSE(dataset.ok());
  EXPECT_EQ(dataset.error().str(), (scratch / "data").string() +
                                       ": found no pictures (and 1 other files); expected .jpg, .jpeg, "
                                       ".png, .bmp, .webp, .ppm or .pgm");
  EXPECT_EQ(Dataset::open(picture_contract(), folder_source(scratch / "none")).error().code,
            ErrorCode::kNotFound);

  write_picture(scratch, "data/d/1.png", 1);
  dataset = Dataset::open(picture_contract(), folder_source(scratch / "data"));
  ASSERT_FALSE(dataset.ok());
  EXPECT_EQ(dataset.error().str(),
            (scratch / "data/d").string() +
                ": found 'd', which is no label of the contract; did you mean 'a'? allowed: a, b, c");
  std::filesystem::remove_all(scratch / "data/d");
  write_picture(scratch, "data/1.png", 1);
  dataset = Dataset::open(picture_contract(), folder_source(scratch / "data"));
  ASSERT_FALSE(dataset.ok());
  EXPECT_EQ(dataset.error().context, (scratch / "data/1.png").string());
  EXPECT_TRUE(Dataset::open(picture_contract(), folder_source(scratch / "data", LabelSource::kNone)).ok());
}

TEST(Dataset, RefusesALinkToAFolderAroundIt) {
  const Scratch scratch;
  write_picture(scratch, "data/a/1.png", 1);
  std::filesystem::create_directory_symlink(scratch / "data", scratch / "data/a/loop");
  const auto dataset = Dataset::open(picture_contract(), folder_source(scratch / "data"));
  ASSERT_FALSE(dataset.ok());
  EXPECT_EQ(dataset.error().code, ErrorCode::kInvalidInput) << dataset.error().str();
}

TEST(Dataset, ListKeepsItsOrderAndNamesItsBadLines) {
  const Scratch scratch;
  write_picture(scratch, "pictures/one.png", 1);
  write_picture(scratch, "pictures/two.png", 2);
  DataSource source = folder_source(scratch.write("list.txt", "# path, label\ntwo.png\tc\r\n\none.png\ta\n"),
                                    LabelSource::kFromFile);
  source.kind = DataKind::kList;
  source.root = scratch / "pictures";
  const auto dataset = Dataset::open(picture_contract(), source);
  ASSERT_TRUE(dataset.ok()) << dataset.error().str();
  EXPECT_THAT(dataset->items(), testing::ElementsAre(DataItem{scratch / "pictures/two.png", -1, 2},
                                                     DataItem{scratch / "pictures/one.png", -1, 0}));

  const std::pair<const char*, std::string> bad[] = {
      {"two.png\tc\nthree.png\ta\n",
       ":2: there is no file '" + (scratch / "pictures/three.png").string() + "'; correct the list"},
      {"two.png\n", ":1: found no label; expected a path, a tab and a label"},
      {"two.png\tz\n",
       ":1: found 'z', which is no label of the contract; did you mean 'a'? allowed: a, b, c"},
      {"# nothing\n", ": found no pictures in the list; expected one path a line"}};
  for (const auto& [text, message] : bad) {
    scratch.write("list.txt", text);
    const auto refused = Dataset::open(picture_contract(), source);
    ASSERT_FALSE(refused.ok()) << text;
    EXPECT_EQ(refused.error().str(), source.path.string() + message);
  }
}

TEST(Dataset, TensorsGiveOneSampleARow) {
  const Scratch scratch;
  Contract contract = picture_contract();
  contract.inputs[0].preprocess.clear();
  contract.inputs[0].shape = {{0, "batch"}, {2, ""}};
  DataSource source = folder_source(scratch / "data.npz", LabelSource::kFromFile);
  source.kind = DataKind::kTensors;
  const auto values = Tensor::from<float>({3, 2}, {1, 2, 3, 4, 5, 6});
  const auto labels = Tensor::from<std::int64_t>({3}, {2, 0, 1});
  ASSERT_TRUE(write_npz(source.path, {{"image", values}, {"labels", labels}}).ok());
  const auto dataset = Dataset::open(contract, source);
  ASSERT_TRUE(dataset.ok()) << dataset.error().str();
  ASSERT_EQ(dataset->size(), 3U);
  EXPECT_EQ(dataset->items()[0].label, 2);
  const auto sample = dataset->load(2);
  ASSERT_TRUE(sample.ok());
  EXPECT_TRUE(identical(sample->at("image"), Tensor::from<float>({1, 2}, {5, 6})));

  const std::pair<std::map<std::string, Tensor>, const char*> bad[] = {
      {{{"image", values}}, "found no array 'labels'; add it, or remove 'labels: from_file'"},
      {{{"image", values}, {"labels", Tensor::from<std::int64_t>({3}, {2, 0, 3})}},
       "found the label 3 of sample 2; expected 0 to 2"},
      {{{"image", values}, {"labels", labels}, {"more", labels}},
       "found the array 'more', which is no input; allowed: image, labels, scenes"},
      {{{"picture", values}, {"labels", labels}}, "found no array for input 'image'"},
      {{{"image", labels}, {"labels", labels}},
       "the array for input 'image' is int64 [3]; expected float32 [batch, 2] with 3 samples along the first "
       "axis"}};
  for (const auto& [arrays, message] : bad) {
    ASSERT_TRUE(write_npz(source.path, arrays).ok());
    const auto refused = Dataset::open(contract, source);
    ASSERT_FALSE(refused.ok()) << message;
    EXPECT_EQ(refused.error().message, message);
  }
}

TEST(Dataset, TensorsWithAFurtherAxisGiveWholeInputs) {
  const Scratch scratch;
  Contract contract = picture_contract();
  contract.inputs[0].preprocess.clear();
  contract.inputs[0].name = "cameras";
  contract.inputs[0].shape = {{6, ""}, {2, ""}};
  contract.inputs.push_back(contract.inputs[0]);
  contract.inputs[1].name = "can_bus";
  contract.inputs[1].shape = {{1, ""}, {3, ""}};
  DataSource source = folder_source(scratch / "data.npz", LabelSource::kNone);
  source.kind = DataKind::kTensors;
  std::vector<float> numbers(4 * 6 * 2);
  std::iota(numbers.begin(), numbers.end(), 0.0F);
  const auto cameras = Tensor::from({4, 6, 2}, numbers);
  const auto can_bus = Tensor::from<float>({4, 1, 3}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  ASSERT_TRUE(write_npz(source.path, {{"cameras", cameras}, {"can_bus", can_bus}}).ok());
  const auto dataset = Dataset::open(contract, source);
  ASSERT_TRUE(dataset.ok()) << dataset.error().str();
  ASSERT_EQ(dataset->size(), 4U);
  EXPECT_TRUE(dataset->holds_whole_inputs());
  const auto sample = dataset->load(1);
  ASSERT_TRUE(sample.ok());
  EXPECT_EQ(sample->at("cameras").shape(), (Shape{6, 2}));
  EXPECT_EQ(sample->at("cameras").data<float>()[0], 12.0F);
  EXPECT_TRUE(identical(sample->at("can_bus"), Tensor::from<float>({1, 3}, {3, 4, 5})));

  const auto reader = BatchReader::open(contract, *dataset, {.batch_size = 8});
  ASSERT_TRUE(reader.ok()) << reader.error().str();
  const auto batch = (*reader)->next();
  ASSERT_TRUE(batch.ok() && *batch);
  EXPECT_TRUE((*batch)->whole);
  EXPECT_EQ((*batch)->items.size(), 1U);
  EXPECT_EQ((*batch)->inputs.at("cameras").shape(), (Shape{6, 2}));

  ASSERT_TRUE(write_npz(source.path, {{"cameras", cameras},
                                      {"can_bus", Tensor::from<float>({4, 3}, std::vector<float>(12))}})
                  .ok());
  const auto refused = Dataset::open(contract, source);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message,
              testing::HasSubstr("along a further axis before these, as the first input has it"));
}

/// A model whose one input takes tensors of two channels.
Contract feature_contract() {
  Contract contract;
  InputSpec input;
  input.name = "features";
  input.shape = {{0, "batch"}, {2, ""}, {0, "width"}};
  contract.inputs = {input};
  contract.labels = {"a", "b"};
  return contract;
}

TEST(Dataset, FolderOfTensorsGivesOneSampleAFile) {
  const Scratch scratch;
  std::filesystem::create_directories(scratch / "data/a");
  std::filesystem::create_directories(scratch / "data/b");
  ASSERT_TRUE(write_npy(scratch / "data/b/0.npy", Tensor::from<float>({1, 2, 2}, {1, 2, 3, 4})).ok());
  ASSERT_TRUE(write_npy(scratch / "data/a/1.npy", Tensor::from<float>({2, 3}, {1, 2, 3, 4, 5, 6})).ok());
  scratch.write("data/readme.txt", "no tensor");
  const auto dataset = Dataset::open(feature_contract(), folder_source(scratch / "data"));
  ASSERT_TRUE(dataset.ok()) << dataset.error().str();
  EXPECT_THAT(dataset->items(), testing::ElementsAre(DataItem{scratch / "data/a/1.npy", -1, 0},
                                                     DataItem{scratch / "data/b/0.npy", -1, 1}));
  EXPECT_EQ(dataset->ignored_files(), 1U);
  const auto first = dataset->load(0);
  ASSERT_TRUE(first.ok()) << first.error().str();
  EXPECT_EQ(first->at("features").shape(), (Shape{1, 2, 3}));  // the batch axis that the file leaves out
  EXPECT_EQ(first->at("features").data<float>()[5], 6.0F);
  EXPECT_NE(*dataset->digest(0), *dataset->digest(1));
}

TEST(Dataset, FolderOfTensorsSaysWhichFileDoesNotFit) {
  const Scratch scratch;
  std::filesystem::create_directories(scratch / "data");
  const std::vector<Tensor> wrong = {
      Tensor::from<float>({2, 2, 1}, {1, 2, 3, 4}), Tensor::from<float>({1, 1, 2}, {1, 2}),
      Tensor::from<float>({4}, {1, 2, 3, 4}), Tensor::from<std::int32_t>({1, 2, 1}, {1, 2})};
  for (const Tensor& tensor : wrong) {
    ASSERT_TRUE(write_npy(scratch / "data/x.npy", tensor).ok());
    const auto dataset =
        Dataset::open(feature_contract(), folder_source(scratch / "data", LabelSource::kNone));
    ASSERT_TRUE(dataset.ok()) << dataset.error().str();
    const auto sample = dataset->load(0);
    ASSERT_FALSE(sample.ok()) << to_string(tensor.shape());
    EXPECT_EQ(sample.error().code, ErrorCode::kInvalidInput);
    EXPECT_EQ(sample.error().context, (scratch / "data/x.npy").string());
    EXPECT_THAT(sample.error().message,
                testing::AllOf(testing::HasSubstr(to_string(tensor.shape())),
                               testing::HasSubstr("expected one sample, float32 [batch, 2, width]")));
  }
  std::filesystem::remove(scratch / "data/x.npy");
  write_picture(scratch, "data/x.png", 1);
  const auto pictures =
      Dataset::open(feature_contract(), folder_source(scratch / "data", LabelSource::kNone));
  ASSERT_FALSE(pictures.ok());
  EXPECT_EQ(pictures.error().message, "found no tensors (and 1 other files); expected .npy");
}

TEST(Dataset, FolderServesSeveralInputsFromArchivesAndWholeOnes) {
  const Scratch scratch;
  std::filesystem::create_directories(scratch / "data");
  Contract contract = feature_contract();
  contract.inputs[0].shape[0] = {2, ""};  // two cameras, no batch
  InputSpec more = contract.inputs[0];
  more.name = "more";
  more.shape = {{1, ""}};
  contract.inputs.push_back(more);
  const Tensor features = Tensor::from<float>({2, 2, 1}, {1, 2, 3, 4});
  ASSERT_TRUE(
      write_npz(scratch / "data/0.npz", {{"features", features}, {"more", Tensor::from<float>({1}, {5})}})
          .ok());
  ASSERT_TRUE(write_npz(scratch / "data/1.npz", {{"features", features}}).ok());
  const auto dataset = Dataset::open(contract, folder_source(scratch / "data", LabelSource::kNone));
  ASSERT_TRUE(dataset.ok()) << dataset.error().str();
  EXPECT_TRUE(dataset->holds_whole_inputs());
  const auto sample = dataset->load(0);
  ASSERT_TRUE(sample.ok()) << sample.error().str();
  EXPECT_EQ(sample->at("features").shape(), (Shape{2, 2, 1}));
  EXPECT_EQ(sample->at("more").shape(), (Shape{1}));
  const auto missing = dataset->load(1);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().message, "found no array for input 'more'");
}

TEST(Dataset, SubsetKeepsSharesAndOrderAndDependsOnlyOnTheSeed) {
  std::vector<DataItem> items;
  for (int i = 0; i < 100; ++i)
    items.push_back(DataItem{"p" + std::to_string(i), -1, i < 61 ? 0 : i < 97 ? 1 : 2});
  const auto subset = choose_stratified(items, 50, 7);
  std::map<int, int> count;
  for (const DataItem& item : subset) ++count[item.label];
  EXPECT_THAT(count, testing::ElementsAre(testing::Pair(0, 31), testing::Pair(1, 18), testing::Pair(2, 1)));
  EXPECT_EQ(subset, choose_stratified(items, 50, 7));
  EXPECT_NE(subset, choose_stratified(items, 50, 8));
  EXPECT_TRUE(std::is_sorted(subset.begin(), subset.end(), [](const auto& a, const auto& b) {
    return std::stoi(a.path.string().substr(1)) < std::stoi(b.path.string().substr(1));
  }));
  // These are the same on every machine and for ever: caches and reports name samples by seed.
  const auto three = choose_stratified(items, 3, 7);
  EXPECT_THAT(three, testing::ElementsAre(items[31], items[45], items[67]));
  EXPECT_EQ(choose_stratified(items, 100, 1), items);
}

TEST(Dataset, GoesOnWithTheSamplesThatThereAre) {
  const Scratch scratch;
  write_picture(scratch, "data/a/1.png", 1);
  DataSource source = folder_source(scratch / "data");
  source.samples = 2;
  std::vector<std::string> warnings;
  set_log_sink([&](LogLevel level, std::string_view text) {
    if (level == LogLevel::kWarning) warnings.emplace_back(text);
  });
  const auto dataset = Dataset::open(picture_contract(), source);
  set_log_sink({});
  ASSERT_TRUE(dataset.ok()) << dataset.error().str();
  EXPECT_EQ(dataset->size(), 1U);
  EXPECT_THAT(warnings, testing::ElementsAre((scratch / "data").string() +
                                             ": 2 samples were asked for, there are 1; going on with those"));
}

TEST(Dataset, KnowsWhichClassesHaveNoSample) {
  const Scratch scratch;
  write_picture(scratch, "data/b/1.png", 1);
  const auto dataset = Dataset::open(picture_contract(), folder_source(scratch / "data"));
  ASSERT_TRUE(dataset.ok()) << dataset.error().str();
  EXPECT_THAT(missing_labels(picture_contract(), *dataset), testing::ElementsAre("a", "c"));
  const auto unlabelled =
      Dataset::open(picture_contract(), folder_source(scratch / "data", LabelSource::kNone));
  ASSERT_TRUE(unlabelled.ok());
  EXPECT_THAT(missing_labels(picture_contract(), *unlabelled), testing::IsEmpty());
}

TEST(CheckDisjoint, NamesASharedPictureUnderAnyName) {
  const Scratch scratch;
  for (int i = 0; i < 5; ++i) {
    write_picture(scratch, "train/a/" + std::to_string(i) + ".png", i);
    write_picture(scratch, "test/b/" + std::to_string(i) + ".png", 100 + i);
  }
  const auto calibration = Dataset::open(picture_contract(), folder_source(scratch / "train"));
  auto evaluation = Dataset::open(picture_contract(), folder_source(scratch / "test"));
  ASSERT_TRUE(calibration.ok() && evaluation.ok());
  EXPECT_TRUE(check_disjoint(*calibration, *evaluation).ok());

  std::filesystem::copy_file(scratch / "train/a/3.png", scratch / "test/b/renamed.png");
  evaluation = Dataset::open(picture_contract(), folder_source(scratch / "test"));
  ASSERT_TRUE(evaluation.ok());
  const auto shared = check_disjoint(*calibration, *evaluation);
  ASSERT_FALSE(shared.ok());
  EXPECT_EQ(shared.error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(shared.error().message,
            "calibration and evaluation share 1 of 6 evaluation samples by content, first " +
                (scratch / "train/a/3.png").string() + " and " + (scratch / "test/b/renamed.png").string() +
                "; remove them from one side, or the accuracy means nothing");
}

TEST(CheckDisjoint, ComparesRowsOfTensors) {
  const Scratch scratch;
  Contract contract = picture_contract();
  contract.inputs[0].preprocess.clear();
  contract.inputs[0].shape = {{0, "batch"}, {2, ""}};
  DataSource first = folder_source(scratch / "first.npy", LabelSource::kNone);
  first.kind = DataKind::kTensors;
  DataSource second = first;
  second.path = scratch / "second.npy";
  ASSERT_TRUE(write_npy(first.path, Tensor::from<float>({2, 2}, {1, 2, 3, 4})).ok());
  ASSERT_TRUE(write_npy(second.path, Tensor::from<float>({2, 2}, {5, 6, 1, 2})).ok());
  const auto calibration = Dataset::open(contract, first);
  const auto evaluation = Dataset::open(contract, second);
  ASSERT_TRUE(calibration.ok() && evaluation.ok());
  const auto shared = check_disjoint(*calibration, *evaluation);
  ASSERT_FALSE(shared.ok());
  EXPECT_THAT(shared.error().message, testing::HasSubstr("first.npy row 0 and"));
  EXPECT_THAT(shared.error().message, testing::HasSubstr("second.npy row 1;"));
}

TEST(ReferenceSource, ReadsTheListRelativeToItsRoot) {
  ReferenceSpec reference;
  reference.inputs = "reference/pictures.txt";
  reference.root = "test";
  EXPECT_EQ(to_data_source(reference).kind, DataKind::kList);
  EXPECT_EQ(to_data_source(reference).root, "test");
  reference.inputs = "reference/inputs.npy";
  EXPECT_EQ(to_data_source(reference).kind, DataKind::kTensors);
}

}  // namespace
}  // namespace tarmac

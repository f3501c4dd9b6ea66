#include "contract/batch_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <opencv2/imgcodecs.hpp>

#include "contract/scratch.h"

namespace tarmac {
namespace {

/// 8 x 8 pictures whose first value is their number.
class BatchReaderTest : public testing::Test {
 protected:
  void SetUp() override {
    InputSpec input;
    input.name = "image";
    input.shape = {{0, "batch"}, {3, ""}, {8, ""}, {8, ""}};
    input.layout = Layout::kNCHW;
    input.preprocess = {DecodeStep{}, ResizeStep{8, 8, Interpolation::kLinear, ResizeMode::kStretch, {}}};
    contract_.inputs = {input};
  }

  void write_pictures(int count, int size = 8) {
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(cv::imwrite(name_of(i).string(), cv::Mat(size, size, CV_8UC3, cv::Scalar::all(i % 256))));
    }
  }

  std::filesystem::path name_of(int i) {
    char name[16];
    std::snprintf(name, sizeof(name), "%04d.png", i);
    return scratch_ / name;
  }

  Dataset open_dataset() {
    DataSource source;
    source.path = scratch_ / "";
    auto dataset = Dataset::open(contract_, source);
    EXPECT_TRUE(dataset.ok()) << dataset.error().str();
    return *std::move(dataset);
  }

  /// The first value of every sample of every batch; shapes are checked on the way.
  std::vector<int> read_all(BatchReader& reader, std::vector<std::size_t>* batch_sizes = nullptr) {
    std::vector<int> values;
    while (true) {
      auto batch = reader.next();
      EXPECT_TRUE(batch.ok()) << batch.error().str();
      if (!batch.ok() || !batch->has_value()) return values;
      const Tensor& image = (*batch)->inputs.at("image");
      if (batch_sizes != nullptr) batch_sizes->push_back((*batch)->items.size());
      for (std::size_t i = 0; i < (*batch)->items.size(); ++i) {
        values.push_back(static_cast<int>(image.data<float>()[i * 192]));
      }
    }
  }

  const Scratch scratch_;
  Contract contract_;
};

TEST_F(BatchReaderTest, GivesEverySampleInOrderForEveryThreadCountAndBatchSize) {
  write_pictures(53);
  const Dataset dataset = open_dataset();
  std::vector<int> expected(53);
  for (int i = 0; i < 53; ++i) expected[static_cast<std::size_t>(i)] = i;
  for (const int threads : {1, 2, 5}) {
    for (const std::size_t batch : {1U, 8U, 100U}) {
      const auto reader = BatchReader::open(contract_, dataset,
                                            {.batch_size = batch, .threads = threads, .max_unreadable = 0});
      ASSERT_TRUE(reader.ok()) << reader.error().str();
      std::vector<std::size_t> sizes;
      EXPECT_EQ(read_all(**reader, &sizes), expected);
      EXPECT_EQ(sizes.size(), (53 + batch - 1) / batch);
      EXPECT_TRUE((*reader)->unreadable().empty());
      const auto end = (*reader)->next();
      ASSERT_TRUE(end.ok());
      EXPECT_FALSE(end->has_value());
    }
  }
}

TEST_F(BatchReaderTest, LeavesOutAFewUnreadablePicturesAndCountsThem) {
  write_pictures(40);
  scratch_.write("0003.png", "damaged");
  scratch_.write("0017.png", "");
  const Dataset dataset = open_dataset();
  const auto reader =
      BatchReader::open(contract_, dataset, {.batch_size = 4, .threads = 2, .max_unreadable = 0.05});
  ASSERT_TRUE(reader.ok());
  std::vector<std::size_t> sizes;
  const auto values = read_all(**reader, &sizes);
  EXPECT_EQ(values.size(), 38U);
  EXPECT_THAT(values, testing::Not(testing::Contains(3)));
  EXPECT_THAT(sizes, testing::ElementsAre(4, 4, 4, 4, 4, 4, 4, 4, 4, 2));
  ASSERT_EQ((*reader)->unreadable().size(), 2U);
  EXPECT_EQ((*reader)->unreadable()[1].context, name_of(17).string());
}

TEST_F(BatchReaderTest, RefusesMoreThanAFewUnreadablePictures) {
  write_pictures(40);
  for (const char* name : {"0003.png", "0017.png", "0030.png"}) scratch_.write(name, "damaged");
  const Dataset dataset = open_dataset();
  const auto reader = BatchReader::open(contract_, dataset);
  ASSERT_TRUE(reader.ok());
  int batches = 0;
  auto batch = (*reader)->next();
  for (; batch.ok() && batch->has_value(); batch = (*reader)->next()) ++batches;
  EXPECT_EQ(batches, 28);
  ASSERT_FALSE(batch.ok());
  EXPECT_THAT(batch.error().message,
              testing::StartsWith("3 of 40 samples cannot be read, more than the allowed 2; repair or remove "
                                  "them; the first is " +
                                  name_of(3).string()));
  EXPECT_EQ((*reader)->next().error().message, batch.error().message);
}

TEST_F(BatchReaderTest, FillsTheLastBatchOfAFixedSizeByRepetition) {
  contract_.inputs[0].shape[0] = {4, ""};
  write_pictures(6);
  const Dataset dataset = open_dataset();
  EXPECT_FALSE(
      BatchReader::open(contract_, dataset, {.batch_size = 2, .threads = 1, .max_unreadable = 0}).ok());
  const auto reader = BatchReader::open(contract_, dataset);
  ASSERT_TRUE(reader.ok());
  ASSERT_TRUE((*reader)->next().ok());
  const auto last = (*reader)->next();
  ASSERT_TRUE(last.ok() && last->has_value());
  EXPECT_EQ((*last)->items.size(), 2U);
  const Tensor& image = (*last)->inputs.at("image");
  EXPECT_EQ(image.shape(), (Shape{4, 3, 8, 8}));
  EXPECT_EQ(image.data<float>()[1 * 192], 5.0F);
  EXPECT_EQ(image.data<float>()[3 * 192], 5.0F);
}

TEST_F(BatchReaderTest, RefusesABatchOfDifferentSizes) {
  contract_.inputs[0].preprocess.resize(1);
  write_pictures(2);
  ASSERT_TRUE(cv::imwrite(name_of(2).string(), cv::Mat(9, 8, CV_8UC3, cv::Scalar::all(2))));
  const Dataset dataset = open_dataset();
  const auto alone =
      BatchReader::open(contract_, dataset, {.batch_size = 1, .threads = 2, .max_unreadable = 0});
  ASSERT_TRUE(alone.ok());
  EXPECT_EQ(read_all(**alone).size(), 3U);
  const auto reader =
      BatchReader::open(contract_, dataset, {.batch_size = 3, .threads = 2, .max_unreadable = 0});
  ASSERT_TRUE(reader.ok());
  const auto batch = (*reader)->next();
  ASSERT_FALSE(batch.ok());
  EXPECT_THAT(batch.error().message,
              testing::StartsWith("samples of one batch come to [1, 3, 8, 8] and [1, 3, 9, 8]"));
}

TEST_F(BatchReaderTest, MayBeDroppedAtAnyPlace) {
  write_pictures(30);
  const Dataset dataset = open_dataset();
  for (int taken = 0; taken < 10; ++taken) {
    const auto reader =
        BatchReader::open(contract_, dataset, {.batch_size = 3, .threads = 4, .max_unreadable = 0});
    ASSERT_TRUE(reader.ok());
    for (int i = 0; i < taken; ++i) ASSERT_TRUE((*reader)->next().ok());
  }
}

TEST_F(BatchReaderTest, RefusesImpossibleOptionsAndInputsWithoutACommonBatch) {
  write_pictures(1);
  const Dataset dataset = open_dataset();
  EXPECT_FALSE(
      BatchReader::open(contract_, dataset, {.batch_size = 1, .threads = 0, .max_unreadable = 0}).ok());
  EXPECT_FALSE(
      BatchReader::open(contract_, dataset, {.batch_size = 1U << 20U, .threads = 1, .max_unreadable = 0})
          .ok());
  Contract two = contract_;
  two.inputs.push_back(two.inputs[0]);
  two.inputs[1].shape[0] = {6, ""};
  EXPECT_EQ(BatchReader::open(two, dataset).error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace tarmac

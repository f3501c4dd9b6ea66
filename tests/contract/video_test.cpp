// Videos as data: frames in order, bounded memory, and a damaged end that is told.
#include "contract/video.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <opencv2/videoio.hpp>

#include "contract/batch_reader.h"
#include "contract/scratch.h"

namespace tarmac {
namespace {

constexpr int kSide = 32;

/// Frame i is gray, of brightness 10 + 8·i.
std::filesystem::path write_video(const std::filesystem::path& path, int frames) {
  std::filesystem::create_directories(path.parent_path());
  cv::VideoWriter writer(path.string(), cv::CAP_FFMPEG, cv::VideoWriter::fourcc('M', 'J', 'P', 'G'), 10,
                         cv::Size(kSide, kSide));
  EXPECT_TRUE(writer.isOpened());
  for (int i = 0; i < frames; ++i) writer.write(cv::Mat(kSide, kSide, CV_8UC3, cv::Scalar::all(10 + 8 * i)));
  return path;
}

int number_of(const Picture& picture) {
  const int level = picture.view.data[(kSide / 2) * static_cast<int>(picture.view.row_bytes) + kSide / 2];
  return (level - 10 + 4) / 8;
}

Contract video_contract() {
  Contract contract;
  InputSpec input;
  input.name = "image";
  input.shape = {{0, "batch"}, {3, ""}, {8, ""}, {8, ""}};
  input.layout = Layout::kNCHW;
  input.preprocess = {DecodeStep{}, ResizeStep{8, 8, Interpolation::kLinear, ResizeMode::kStretch, {}}};
  contract.inputs = {input};
  return contract;
}

DataSource video_source(const std::filesystem::path& path, std::int64_t stride = 1) {
  DataSource source;
  source.kind = DataKind::kVideo;
  source.path = path;
  source.stride = stride;
  return source;
}

/// Numbers of the frames that come, batch by batch; scenes as "|".
std::string read_all(const Contract& contract, const Dataset& data, std::size_t batch_size,
                     std::size_t* unreadable) {
  BatchOptions options;
  options.batch_size = batch_size;
  options.threads = 4;
  options.max_unreadable = 0.9;
  auto reader = BatchReader::open(contract, data, options);
  EXPECT_TRUE(reader.ok()) << reader.error().str();
  std::string text;
  while (true) {
    auto batch = (*reader)->next();
    EXPECT_TRUE(batch.ok()) << batch.error().str();
    if (!batch.ok() || !*batch) break;
    if ((*batch)->starts_scene) text += "|";
    const Tensor& image = (*batch)->inputs.at("image");
    for (std::size_t i = 0; i < (*batch)->items.size(); ++i)
      text += " " + std::to_string(static_cast<int>((image.data<float>()[i * 192] - 10 + 4) / 8));
  }
  if (unreadable != nullptr) *unreadable = (*reader)->unreadable().size();
  return text;
}

TEST(VideoFrames, GiveEachFrameInAnyOrder) {
  const Scratch scratch;
  const auto path = write_video(scratch / "drive.avi", 20);
  VideoFrames frames(1);
  ASSERT_EQ(frames.count(path).ok() ? *frames.count(path) : -1, 20);
  for (const std::int64_t index : {0, 2, 1, 3, 19, 18, 5, 5, 0}) {
    const auto frame = frames.frame(path, index);
    ASSERT_TRUE(frame.ok()) << frame.error().str();
    EXPECT_EQ(number_of(*frame), index);
  }
}

TEST(VideoFrames, AreSamplesOfADataSetWithAStrideAndASceneForEachVideo) {
  const Scratch scratch;
  write_video(scratch / "drives/b.avi", 10);
  write_video(scratch / "drives/a/1.avi", 7);
  scratch.write("drives/notes.txt", "no video");
  Contract contract = video_contract();
  contract.sequence = SequenceSpec{};
  const auto data = Dataset::open(contract, video_source(scratch / "drives", 3));
  ASSERT_TRUE(data.ok()) << data.error().str();
  EXPECT_EQ(read_all(contract, *data, 1, nullptr), "| 0 3 6| 0 3 6 9");
  const auto one = Dataset::open(contract, video_source(scratch / "drives/b.avi"));
  ASSERT_TRUE(one.ok()) << one.error().str();
  EXPECT_EQ(read_all(contract, *one, 4, nullptr), "| 0 1 2 3 4 5 6 7 8 9");
  EXPECT_NE(*one->digest(0), *one->digest(1));
  EXPECT_NE(*one->digest(0), *data->digest(0));
}

TEST(VideoFrames, ReportADamagedTail) {
  const Scratch scratch;
  const auto path = write_video(scratch / "drive.avi", 20);
  std::filesystem::resize_file(path, std::filesystem::file_size(path) * 7 / 10);
  const auto data = Dataset::open(video_contract(), video_source(path));
  ASSERT_TRUE(data.ok()) << data.error().str();
  ASSERT_EQ(data->size(), 20U);
  std::size_t unreadable = 0;
  const std::string text = read_all(video_contract(), *data, 1, &unreadable);
  EXPECT_TRUE(text.starts_with("| 0 1 2 3")) << text;
  EXPECT_GT(unreadable, 2U);
  const auto lost = data->load(19);
  ASSERT_FALSE(lost.ok());
  EXPECT_EQ(lost.error().code, ErrorCode::kInvalidInput);
  EXPECT_THAT(lost.error().message, testing::HasSubstr("the video ends or is damaged after"));
  EXPECT_EQ(lost.error().context, path.string());
}

TEST(VideoFrames, RefuseWhatIsNoVideo) {
  const Scratch scratch;
  const auto text = scratch.write("drive.mp4", "this is no video");
  EXPECT_FALSE(Dataset::open(video_contract(), video_source(text)).ok());
  const auto nothing = Dataset::open(video_contract(), video_source(scratch / "nothing.mp4"));
  ASSERT_FALSE(nothing.ok());
  EXPECT_EQ(nothing.error().code, ErrorCode::kNotFound);
  std::filesystem::create_directories(scratch / "empty");
  const auto empty = Dataset::open(video_contract(), video_source(scratch / "empty"));
  ASSERT_FALSE(empty.ok());
  EXPECT_THAT(empty.error().message, testing::HasSubstr("found no videos; expected .mp4"));
}

}  // namespace
}  // namespace tarmac

#include "cli/run/frame_output.h"

#include <fmt/format.h>

#include "base/log.h"
#include "cli/args/output_args.h"

namespace tarmac::cli {
namespace {

namespace fs = std::filesystem;

constexpr double kUsualFps = 25;

Status check_apart(const fs::path& folder, const FrameSource& source) {
  const fs::path root = source.root.empty() ? fs::path(".") : source.root;
  std::error_code failed;
  if (!fs::equivalent(folder, root, failed)) return {};
  return make_error(ErrorCode::kUsage,
                    "results would be written over the frames they come from; choose another --output-dir",
                    {}, folder.string());
}

}  // namespace

Result<FrameOutput> FrameOutput::create(const fs::path& folder, const std::string& lines,
                                        const std::vector<FrameSource>& sources) {
  TARMAC_CHECK_OK(make_output_folder(folder));
  for (const FrameSource& source : sources) TARMAC_CHECK_OK(check_apart(folder, source));
  TARMAC_TRY(AtomicFile file, AtomicFile::create(folder / lines));
  return FrameOutput(folder, folder / lines, std::move(file));
}

Status FrameOutput::add_line(const Json& line) {
  // Names of files need not be UTF-8.
  return lines_.write(line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

Status FrameOutput::add_picture(const FrameSource& source, std::int64_t index, const PictureCanvas& picture) {
  const fs::path file = source.files[source.is_video ? 0 : static_cast<std::size_t>(index)];
  const fs::path name = file.lexically_relative(source.root);
  if (!source.is_video) {
    const bool png = file.extension() == ".png" || file.extension() == ".PNG";
    return add_picture(fs::path(name).replace_extension(png ? ".png" : ".jpg"), picture);
  }
  if (video_source_ != file) TARMAC_CHECK_OK(begin_video(source, picture.view()));
  if (video_) return video_->write(picture.view());
  return add_picture(fs::path(name).replace_extension() / fmt::format("{:06}.jpg", index), picture);
}

Status FrameOutput::begin_video(const FrameSource& source, const PictureView& first) {
  TARMAC_CHECK_OK(finish_video());
  video_source_ = source.files.front();
  const fs::path path = place(video_source_.lexically_relative(source.root).replace_extension(".mp4"));
  TARMAC_CHECK_OK(make_output_folder(path.parent_path()));
  auto writer = VideoWriter::create(path, source.fps > 0 ? source.fps : kUsualFps, first.height, first.width);
  if (writer) {
    video_.emplace(*std::move(writer));
  } else if (writer.error().code == ErrorCode::kUnavailable) {
    log(LogLevel::kWarning, writer.error().str() + "; its frames are written as pictures");
  } else {
    return std::move(writer).error();
  }
  return {};
}

Status FrameOutput::finish_video() {
  if (!video_) return {};
  const Status finished = video_->finish();
  if (finished) videos_.push_back(video_->path().string());
  video_.reset();
  return finished;
}

Status FrameOutput::add_picture(const fs::path& name, const PictureCanvas& picture) {
  TARMAC_TRY(const auto bytes, picture.encode(name.extension().string()));
  const fs::path path = place(name);
  TARMAC_CHECK_OK(make_output_folder(path.parent_path()));
  TARMAC_TRY(AtomicFile file, AtomicFile::create(path));
  TARMAC_CHECK_OK(file.write(bytes));
  TARMAC_CHECK_OK(file.commit());
  ++pictures_;
  return {};
}

fs::path FrameOutput::place(fs::path name) {
  const fs::path wanted = name;
  for (int suffix = 2; !taken_.insert(name).second; ++suffix) {
    name = wanted;
    name.replace_filename(
        fmt::format("{}_{}{}", wanted.stem().string(), suffix, wanted.extension().string()));
  }
  return folder_ / name;
}

Status FrameOutput::finish() {
  const Status video = finish_video();
  TARMAC_CHECK_OK(lines_.commit());
  return video;
}

}  // namespace tarmac::cli

#include "cli/run/frame_sources.h"

#include <fmt/format.h>

#include <algorithm>

#include "contract/picture_list.h"
#include "contract/video.h"

namespace tarmac::cli {
namespace {

namespace fs = std::filesystem;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Cuts the digits off the front of `text` and returns them without leading zeros.
std::string_view take_number(std::string_view& text) {
  std::size_t end = 0;
  while (end < text.size() && is_digit(text[end])) ++end;
  std::size_t begin = 0;
  while (begin + 1 < end && text[begin] == '0') ++begin;
  const std::string_view number = text.substr(begin, end - begin);
  text.remove_prefix(end);
  return number;
}

Result<FrameSource> open_video(const fs::path& file, const fs::path& root) {
  TARMAC_TRY(const VideoFacts facts, VideoFrames(1).facts(file));
  return FrameSource{root, {file}, true, facts.frames, facts.fps};
}

/// Pictures by their folders, folders and pictures in natural order.
Result<std::vector<FrameSource>> find_in_folder(const fs::path& folder, bool raw) {
  DataSource source;
  source.path = folder;
  TARMAC_TRY(PictureList list, list_folder(source, {}, raw ? FolderFiles::kFrames : FolderFiles::kPictures));
  std::stable_sort(list.items.begin(), list.items.end(), [](const DataItem& a, const DataItem& b) {
    const fs::path left = a.path.parent_path();
    const fs::path right = b.path.parent_path();
    if (left != right) return natural_less(left.native(), right.native());
    return natural_less(a.path.native(), b.path.native());
  });
  std::vector<FrameSource> sources;
  for (const DataItem& item : list.items) {
    if (sources.empty() || sources.back().files.back().parent_path() != item.path.parent_path())
      sources.push_back({folder, {}});
    sources.back().files.push_back(item.path);
  }
  return sources;
}

}  // namespace

bool natural_less(std::string_view a, std::string_view b) {
  const std::string_view whole_a = a;
  const std::string_view whole_b = b;
  while (!a.empty() && !b.empty()) {
    if (is_digit(a.front()) && is_digit(b.front())) {
      const std::string_view left = take_number(a);
      const std::string_view right = take_number(b);
      if (left.size() != right.size()) return left.size() < right.size();
      if (left != right) return left < right;
      continue;
    }
    if (a.front() != b.front())
      return static_cast<unsigned char>(a.front()) < static_cast<unsigned char>(b.front());
    a.remove_prefix(1);
    b.remove_prefix(1);
  }
  if (a.empty() != b.empty()) return a.empty();
  return whole_a < whole_b;
}

std::string FrameSource::name_of(std::int64_t index) const {
  if (is_video) return fmt::format("{}#{}", files.front().lexically_relative(root).string(), index);
  return files[static_cast<std::size_t>(index)].lexically_relative(root).string();
}

bool holds_video(const fs::path& path) {
  std::error_code failed;
  if (!fs::is_directory(path, failed)) return has_video_extension(path);
  DataSource pictures;
  pictures.path = path;
  return list_videos(path).ok() && !list_folder(pictures, {}).ok() &&
         !list_folder(pictures, {}, FolderFiles::kFrames).ok();
}

Result<std::vector<FrameSource>> find_frames(const fs::path& path, const Preprocessor& preprocessor) {
  std::error_code failed;
  if (!fs::exists(path, failed)) {
    return make_error(ErrorCode::kNotFound, "there is no file or folder of this name; check the path", {},
                      path.string());
  }
  if (!fs::is_directory(path, failed)) {
    if (preprocessor.reads(path)) return std::vector{FrameSource{path.parent_path(), {path}}};
    if (has_video_extension(path)) {
      TARMAC_TRY(FrameSource video, open_video(path, path.parent_path()));
      return std::vector{std::move(video)};
    }
    return make_error(ErrorCode::kInvalidInput,
                      "expected a frame or a video by its name's ending; frames of this input are read from "
                      "files of another ending",
                      {}, path.string());
  }
  const bool raw = preprocessor.reads("frame.raw");
  auto pictures = find_in_folder(path, raw);
  if (pictures || pictures.error().code != ErrorCode::kNotFound) return pictures;
  const auto videos = list_videos(path);
  if (!videos) return pictures;
  std::vector<FrameSource> sources;
  for (const fs::path& file : *videos) {
    TARMAC_TRY(FrameSource video, open_video(file, path));
    sources.push_back(std::move(video));
  }
  std::stable_sort(sources.begin(), sources.end(), [](const FrameSource& a, const FrameSource& b) {
    return natural_less(a.files.front().native(), b.files.front().native());
  });
  return sources;
}

}  // namespace tarmac::cli

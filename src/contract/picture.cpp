#include "contract/picture.h"

#include <algorithm>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <string>

#include "base/file.h"
#include "contract/picture_codecs.h"

namespace tarmac {

Result<Picture> decode_picture(std::span<const std::byte> file) {
  if (file.size() > kMaxPictureFileBytes) {
    return make_error(ErrorCode::kInvalidInput, "found a picture file of " + std::to_string(file.size()) +
                                                    " bytes; at most 256 MiB are read");
  }
  TARMAC_CHECK_OK(read_picture_header(file));
  try {
    // The decoder takes a matrix that it could write to, and does not.
    const cv::Mat encoded(1, static_cast<int>(file.size()), CV_8U, const_cast<std::byte*>(file.data()));
    auto pixels = std::make_shared<cv::Mat>(
        decode_with_opencv(encoded, cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION));
    if (pixels->empty()) {
      return make_error(ErrorCode::kInvalidInput,
                        "the picture is damaged: its decoder refuses it; replace the file");
    }
    const PictureView view{pixels->data, pixels->rows, pixels->cols, pixels->step[0]};
    return Picture{view, std::move(pixels)};
  } catch (const std::bad_alloc&) {
    return make_error(ErrorCode::kResourceExhausted, "not enough memory to decode the picture");
  } catch (const std::exception& error) {  // cv::Exception is one
    return make_error(ErrorCode::kInvalidInput,
                      std::string("the picture cannot be decoded: ") + error.what());
  }
}

Result<Picture> read_picture(const std::filesystem::path& path) {
  TARMAC_TRY(const auto file, MappedFile::open(path));
  auto picture = decode_picture(file->bytes());
  if (!picture) picture.error().context = path.string();
  return picture;
}

bool has_extension(const std::filesystem::path& path, std::initializer_list<std::string_view> extensions) {
  std::string extension = path.extension().string();
  for (char& c : extension) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return std::find(extensions.begin(), extensions.end(), extension) != extensions.end();
}

bool has_picture_extension(const std::filesystem::path& path) {
  return has_extension(path, {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".pgm"});
}

}  // namespace tarmac

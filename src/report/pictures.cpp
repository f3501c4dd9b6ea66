#include "report/pictures.h"

#include <algorithm>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "base/file.h"
#include "contract/picture_codecs.h"

namespace tarmac {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{256} << 20U;

}  // namespace

Result<std::vector<std::byte>> encode_thumbnail(const std::filesystem::path& picture, int max_side_px,
                                                int jpeg_quality) {
  TARMAC_TRY(const auto file, MappedFile::open(picture));
  const auto not_a_picture = [&](const std::string& why) {
    return make_error(ErrorCode::kInvalidInput, "expected a picture: " + why, {}, picture.string());
  };
  const auto bytes = file->bytes();
  if (bytes.empty() || bytes.size() > kMaxFileBytes) {
    return not_a_picture("the file has " + std::to_string(bytes.size()) + " bytes");
  }
  // OpenCV reports by exceptions, which end here.
  try {
    const cv::Mat encoded(1, static_cast<int>(bytes.size()), CV_8UC1, const_cast<std::byte*>(bytes.data()));
    cv::Mat image = decode_with_opencv(encoded, cv::IMREAD_COLOR);
    if (image.empty()) return not_a_picture("it cannot be decoded");
    const int side = std::max(image.cols, image.rows);
    if (side > max_side_px) {
      const double scale = static_cast<double>(max_side_px) / side;
      cv::resize(image, image,
                 {std::max(1, cvRound(image.cols * scale)), std::max(1, cvRound(image.rows * scale))}, 0, 0,
                 cv::INTER_AREA);
    }
    const auto jpeg = encode_with_opencv(".jpg", image, {cv::IMWRITE_JPEG_QUALITY, jpeg_quality});
    const auto* begin = reinterpret_cast<const std::byte*>(jpeg.data());
    return std::vector<std::byte>(begin, begin + jpeg.size());
  } catch (const std::exception& error) {
    return not_a_picture(error.what());
  }
}

}  // namespace tarmac

#include "contract/parse_camera.h"

#include "contract/words.h"
#include "ops/camera_preprocess/camera_map.h"
#include "ops/camera_preprocess/color.h"

namespace tarmac {
namespace {

constexpr int kMaxSide = 16384;
constexpr int kMaxRowBytes = 1 << 20;

Result<std::pair<int, int>> parse_size(const Field& field) {
  constexpr std::string_view kExpected = "a list of two, [height, width]";
  TARMAC_TRY(const auto elements, field.elements(kExpected));
  if (elements.size() != 2) return field.wrong(kExpected);
  TARMAC_TRY(const int height, elements[0].small_integer(1, kMaxSide));
  TARMAC_TRY(const int width, elements[1].small_integer(1, kMaxSide));
  return std::pair(height, width);
}

Result<std::vector<double>> parse_numbers(const Field& field, std::string_view expected) {
  TARMAC_TRY(const auto elements, field.elements(expected));
  std::vector<double> numbers;
  for (const Field& element : elements) {
    TARMAC_TRY(numbers.emplace_back(), element.number());
  }
  return numbers;
}

Result<Intrinsics> parse_intrinsics(const Field& field) {
  constexpr std::string_view kExpected = "a list of four, [fx, fy, cx, cy] in pixels";
  TARMAC_TRY(const auto numbers, parse_numbers(field, kExpected));
  if (numbers.size() != 4) return field.wrong(kExpected);
  return Intrinsics{numbers[0], numbers[1], numbers[2], numbers[3]};
}

}  // namespace

Result<std::optional<RawFormat>> parse_raw_format(const Field& decode) {
  const auto format = decode.find("format");
  if (!format) {
    for (const char* key : {"size", "row_bytes", "yuv_matrix", "yuv_range"}) {
      if (const auto found = decode.find(key))
        return found->error(std::string(key) + " belongs to a camera's frames; add the key 'format'");
    }
    return std::optional<RawFormat>();
  }
  RawFormat raw;
  TARMAC_TRY(raw.format, format->choice(kPixelFormatWords));
  TARMAC_TRY(const Field size, decode.require("size"));
  TARMAC_TRY(std::tie(raw.height, raw.width), parse_size(size));
  const bool nv12 = raw.format == PixelFormat::kNv12;
  const bool yuv = nv12 || raw.format == PixelFormat::kYuyv;
  if ((yuv && raw.width % 2 != 0) || (nv12 && raw.height % 2 != 0))
    return size.error(std::string(to_string(raw.format)) +
                      (nv12 ? " has an even height and width" : " has an even width"));
  const auto least = static_cast<int>(ops::camera::row_bytes_of(raw.format, raw.width));
  raw.row_bytes = least;
  if (const auto row_bytes = decode.find("row_bytes")) {
    TARMAC_TRY(raw.row_bytes, row_bytes->small_integer(least, kMaxRowBytes));
  }
  if (const auto matrix = decode.find("yuv_matrix")) {
    if (!yuv) return matrix->error("yuv_matrix belongs to nv12 and yuyv; remove it");
    TARMAC_TRY(raw.matrix, matrix->choice(kYuvMatrixWords));
  }
  if (const auto range = decode.find("yuv_range")) {
    if (!yuv) return range->error("yuv_range belongs to nv12 and yuyv; remove it");
    TARMAC_TRY(raw.range, range->choice(kYuvRangeWords));
  }
  return std::optional(raw);
}

Result<UndistortStep> parse_undistort(const Field& field) {
  TARMAC_CHECK_OK(field.allow_keys({"model", "size", "intrinsics", "distortion", "new_intrinsics"}));
  UndistortStep step;
  TARMAC_TRY(const Field model, field.require("model"));
  TARMAC_TRY(step.lens.model, model.choice(kLensWords));
  TARMAC_TRY(const Field size, field.require("size"));
  TARMAC_TRY(std::tie(step.height, step.width), parse_size(size));
  TARMAC_TRY(const Field intrinsics, field.require("intrinsics"));
  TARMAC_TRY(step.lens.camera, parse_intrinsics(intrinsics));
  step.lens.undistorted = step.lens.camera;
  if (const auto changed = field.find("new_intrinsics")) {
    TARMAC_TRY(step.lens.undistorted, parse_intrinsics(*changed));
  }
  const bool fisheye = step.lens.model == LensModel::kFisheye;
  const std::string_view expected =
      fisheye ? "a list of four, [k1, k2, k3, k4]" : "a list of 4, 5 or 8, [k1, k2, p1, p2, k3, k4, k5, k6]";
  TARMAC_TRY(const Field distortion, field.require("distortion"));
  TARMAC_TRY(const auto numbers, parse_numbers(distortion, expected));
  const std::size_t count = numbers.size();
  if (count != 4 && (fisheye || (count != 5 && count != 8))) return distortion.wrong(expected);
  std::copy(numbers.begin(), numbers.end(), step.lens.coefficients.begin());
  if (const auto sound = ops::camera::check_lens(step.lens); !sound)
    return field.error(sound.error().message);
  return step;
}

}  // namespace tarmac

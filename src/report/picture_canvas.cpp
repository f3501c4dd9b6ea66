#include "report/picture_canvas.h"

#include <algorithm>
#include <cmath>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "contract/picture_codecs.h"
#include "contract/picture_frame.h"
#include "report/picture_pen.h"

namespace tarmac {
namespace {

constexpr int kFont = cv::FONT_HERSHEY_SIMPLEX;
constexpr double kTint = 0.45;

}  // namespace

struct PictureCanvas::State {
  cv::Mat pixels;
  int line = 1;      ///< pixels
  int letter = 8;    ///< height of a capital
  double scale = 1;  ///< of the font for that height

  explicit State(cv::Mat picture) : pixels(std::move(picture)) {
    const int side = std::min(pixels.rows, pixels.cols);
    line = std::max(1, side / 240);
    letter = std::clamp(side / 36, 8, 40);
    scale = cv::getFontScaleFromHeight(kFont, letter, stroke());
  }

  [[nodiscard]] int stroke() const { return std::max(1, letter / 12); }

  /// On a plate whose lower left corner is (x, y), moved into the picture.
  void write(const std::string& text, int x, int y, const cv::Scalar& color) const {
    int below = 0;
    const cv::Size size = cv::getTextSize(text, kFont, scale, stroke(), &below);
    const int margin = std::max(1, letter / 5);
    const int height = size.height + below + margin;
    const int width = size.width + 2 * margin;
    x = std::clamp(x, 0, std::max(0, pixels.cols - width));
    y = std::clamp(y, height, std::max(height, pixels.rows));
    cv::rectangle(pixels, {x, y - height, width, height}, color, cv::FILLED);
    cv::putText(pixels, text, {x + margin, y - below}, kFont, scale, ink_on(color), stroke(), cv::LINE_AA);
  }
};

PictureCanvas::PictureCanvas(std::unique_ptr<State> state) : state_(std::move(state)) {}
PictureCanvas::PictureCanvas(PictureCanvas&&) noexcept = default;
PictureCanvas& PictureCanvas::operator=(PictureCanvas&&) noexcept = default;
PictureCanvas::~PictureCanvas() = default;

Result<PictureCanvas> PictureCanvas::create(const PictureView& picture) {
  return create(
      CameraFrame{PixelFormat::kBgr, picture.height, picture.width, picture.data, picture.row_bytes});
}

Result<PictureCanvas> PictureCanvas::create(const CameraFrame& frame) {
  TARMAC_CHECK_OK(ops::camera::check_frame(frame));
  try {
    return PictureCanvas(std::make_unique<State>(to_bgr(frame).clone()));
  } catch (const std::exception&) {  // of sizes that were checked, only memory can be short
    return make_error(ErrorCode::kResourceExhausted, "not enough memory to draw on the picture");
  }
}

void PictureCanvas::box(const Box& box, std::int64_t label, const std::string& text) {
  const auto pixel = [](double at) { return static_cast<int>(std::lround(std::clamp(at, -1e6, 1e6))); };
  const cv::Point first(pixel(box.x1), pixel(box.y1));
  const cv::Point last(std::max(first.x, pixel(box.x2) - 1), std::max(first.y, pixel(box.y2) - 1));
  const cv::Scalar color = color_of(label);
  cv::rectangle(state_->pixels, first, last, color, state_->line);
  state_->write(text, first.x - state_->line / 2, first.y, color);
}

void PictureCanvas::headline(const std::string& text, std::int64_t label) {
  state_->write(text, 0, 0, color_of(label));
}

void PictureCanvas::classes(std::span<const std::int32_t> classes, std::int64_t height, std::int64_t width,
                            const GeometryTrace& trace) {
  if (trace.rows.empty() || trace.columns.empty()) return;
  // From the centre of a pixel to the place of the map that lies there; -1 outside the input.
  const auto place = [](int pixel, double scale, double offset, std::size_t input, std::int64_t size) {
    const double at = (pixel + 0.5) * scale + offset;
    if (at < 0 || at >= static_cast<double>(input)) return std::int64_t{-1};
    return std::min(static_cast<std::int64_t>(at / static_cast<double>(input) * static_cast<double>(size)),
                    size - 1);
  };
  cv::Mat& pixels = state_->pixels;
  std::vector<std::int64_t> columns(static_cast<std::size_t>(pixels.cols));
  for (int x = 0; x < pixels.cols; ++x)
    columns[static_cast<std::size_t>(x)] =
        place(x, trace.x_scale, trace.x_offset, trace.columns.size(), width);
  std::int32_t latest = -1;
  cv::Scalar color;
  for (int y = 0; y < pixels.rows; ++y) {
    const std::int64_t row = place(y, trace.y_scale, trace.y_offset, trace.rows.size(), height);
    for (int x = 0; row >= 0 && x < pixels.cols; ++x) {
      const std::int64_t column = columns[static_cast<std::size_t>(x)];
      const std::int32_t label = column < 0 ? -1 : classes[static_cast<std::size_t>(row * width + column)];
      if (label < 0) continue;
      if (label != latest) color = color_of(latest = label);
      auto& pixel = pixels.at<cv::Vec3b>(y, x);
      for (int c = 0; c < 3; ++c)
        pixel[c] = cv::saturate_cast<std::uint8_t>((1 - kTint) * pixel[c] + kTint * color[c]);
    }
  }
}

PictureView PictureCanvas::view() const {
  const cv::Mat& pixels = state_->pixels;
  return {pixels.data, pixels.rows, pixels.cols, pixels.step[0]};
}

Result<std::vector<std::byte>> PictureCanvas::encode(const std::string& extension, int jpeg_quality) const {
  try {
    std::vector<int> parameters;
    if (extension == ".jpg") parameters = {cv::IMWRITE_JPEG_QUALITY, jpeg_quality};
    const auto file = encode_with_opencv(extension, state_->pixels, parameters);
    const auto* const begin = reinterpret_cast<const std::byte*>(file.data());
    return std::vector<std::byte>(begin, begin + file.size());
  } catch (const cv::Exception& error) {
    return make_error(ErrorCode::kInternal, std::string("the picture cannot be encoded: ") + error.what());
  } catch (const std::exception& error) {
    return make_error(ErrorCode::kUnavailable, error.what());
  }
}

}  // namespace tarmac

#include "report/picture_pen.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <vector>

namespace tarmac {
namespace {

constexpr int kFont = cv::FONT_HERSHEY_SIMPLEX;
constexpr int kFractionBits = 4;

/// OpenCV's fixed point numbers; what is far away is brought to where they still hold.
cv::Point fixed(cv::Point2d at) {
  static constexpr double kFarthest = 1e6;
  const auto one = [](double value) {
    return static_cast<int>(std::lround(std::clamp(value, -kFarthest, kFarthest) * (1 << kFractionBits)));
  };
  return {one(at.x), one(at.y)};
}

int thickness(int letter_px) { return std::max(1, letter_px / 9); }

}  // namespace

cv::Scalar color_of(std::int64_t label) {
  constexpr double kGoldenTurn = 0.6180339887498949;
  const double turns = static_cast<double>(label + 1) * kGoldenTurn;
  const double hue = (turns - std::floor(turns)) * 6;
  const auto channel = [&](double shift) {
    const double k = std::fmod(shift + hue, 6.0);
    return 255 * (1 - 0.85 * std::clamp(std::min(k, 4 - k), 0.0, 1.0));
  };
  return {channel(1), channel(3), channel(5)};
}

cv::Scalar ink_on(const cv::Scalar& color) {
  const double luma = 0.114 * color[0] + 0.587 * color[1] + 0.299 * color[2];
  return cv::Scalar::all(luma > 140 ? 0 : 255);
}

void stroke(cv::Mat& pixels, cv::Point2d first, cv::Point2d last, const cv::Scalar& color, int width) {
  cv::line(pixels, fixed(first), fixed(last), color, width, cv::LINE_AA, kFractionBits);
}

void stroke_dashed(cv::Mat& pixels, cv::Point2d first, cv::Point2d last, const cv::Scalar& color, int width,
                   double dash_px) {
  const cv::Point2d way = last - first;
  const double length = std::hypot(way.x, way.y);
  // An odd number of parts: a dash at either end, so that corners are closed.
  const int parts = 2 * static_cast<int>(std::min(length / (2 * dash_px), 1e4)) + 1;
  for (int part = 0; part < parts; part += 2)
    stroke(pixels, first + way * (1.0 * part / parts), first + way * (1.0 * (part + 1) / parts), color,
           width);
}

void stroke_arrow(cv::Mat& pixels, cv::Point2d first, cv::Point2d last, const cv::Scalar& color, int width) {
  const cv::Point2d way = last - first;
  const double length = std::hypot(way.x, way.y);
  if (!(length >= 2)) return;
  const double head = std::min(length * 0.6, 4.0 + 2.0 * width);
  const cv::Point2d along = way * (head / length);
  const cv::Point2d across(-along.y * 0.45, along.x * 0.45);
  stroke(pixels, first, last - along * 0.5, color, width);
  const std::vector<cv::Point2d> corners = {last, last - along + across, last - along - across};
  fill_face(pixels, corners, color, 1);
}

void fill_face(cv::Mat& pixels, std::span<const cv::Point2d> corners, const cv::Scalar& color,
               double opacity) {
  std::vector<cv::Point> places;
  std::vector<cv::Point> whole;
  for (const cv::Point2d& corner : corners) {
    places.push_back(fixed(corner));
    whole.emplace_back(places.back().x >> kFractionBits, places.back().y >> kFractionBits);
  }
  if (opacity >= 1) {
    cv::fillConvexPoly(pixels, places, color, cv::LINE_AA, kFractionBits);
    return;
  }
  cv::Rect around = cv::boundingRect(whole);
  around = cv::Rect(around.x - 1, around.y - 1, around.width + 3, around.height + 3) &
           cv::Rect(0, 0, pixels.cols, pixels.rows);
  if (around.empty()) return;
  cv::Mat part = pixels(around);
  cv::Mat filled = part.clone();
  const cv::Point offset(around.x << kFractionBits, around.y << kFractionBits);
  for (cv::Point& place : places) place -= offset;
  cv::fillConvexPoly(filled, places, color, cv::LINE_AA, kFractionBits);
  cv::addWeighted(filled, opacity, part, 1 - opacity, 0, part);
}

cv::Size size_of_text(const std::string& text, int letter_px) {
  const int width = thickness(letter_px);
  return cv::getTextSize(text, kFont, cv::getFontScaleFromHeight(kFont, letter_px, width), width, nullptr);
}

void write_text(cv::Mat& pixels, const std::string& text, cv::Point2d at, int letter_px,
                const cv::Scalar& color) {
  const int width = thickness(letter_px);
  cv::putText(pixels, text, cv::Point(cvRound(at.x), cvRound(at.y)), kFont,
              cv::getFontScaleFromHeight(kFont, letter_px, width), color, width, cv::LINE_AA);
}

}  // namespace tarmac

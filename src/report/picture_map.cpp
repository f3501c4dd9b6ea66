#include "report/picture_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <opencv2/imgproc.hpp>

#include "report/picture_pen.h"

namespace tarmac {
namespace {

constexpr double kSlow = 0.3;  ///< m/s, below which no arrow is drawn
constexpr int kSmallLetter = 9;
constexpr int kLetter = 12;

/// From metres in the vehicle's frame to pixels: x to the top, y to the left.
class MapScale {
 public:
  MapScale(const std::array<double, 4>& range, const cv::Mat& pixels)
      : pixels_per_m_(std::min(pixels.rows / (range[2] - range[0]), pixels.cols / (range[3] - range[1]))),
        middle_x_((range[0] + range[2]) / 2),
        middle_y_((range[1] + range[3]) / 2),
        centre_(pixels.cols / 2.0, pixels.rows / 2.0) {}

  [[nodiscard]] cv::Point2d at(double x, double y) const {
    return {centre_.x - (y - middle_y_) * pixels_per_m_, centre_.y - (x - middle_x_) * pixels_per_m_};
  }
  [[nodiscard]] double pixels_per_m() const { return pixels_per_m_; }

 private:
  double pixels_per_m_;
  double middle_x_;
  double middle_y_;
  cv::Point2d centre_;
};

void draw_ground(const MapScale& scale, const std::array<double, 4>& range, cv::Mat& pixels) {
  pixels.setTo(kGround);
  const double farthest = std::hypot(std::max(std::abs(range[0]), std::abs(range[2])),
                                     std::max(std::abs(range[1]), std::abs(range[3])));
  const double step = farthest > 150 ? 50 : 10;
  const cv::Point2d centre = scale.at(0, 0);
  stroke(pixels, scale.at(range[0], 0), scale.at(range[2], 0), kFaint, 1);
  stroke(pixels, scale.at(0, range[1]), scale.at(0, range[3]), kFaint, 1);
  for (double metres = step; metres <= std::min(farthest, 1000.0); metres += step) {
    constexpr int kFraction = 16;
    cv::circle(pixels, cv::Point(cvRound(centre.x * kFraction), cvRound(centre.y * kFraction)),
               cvRound(metres * scale.pixels_per_m() * kFraction), kFaint, 1, cv::LINE_AA, 4);
    // Between the axes, where there is mostly no road.
    const cv::Point2d label = scale.at(metres * std::numbers::sqrt2 / 2, -metres * std::numbers::sqrt2 / 2);
    if (label.x + 5 + size_of_text("1000 m", kSmallLetter).width > pixels.cols) continue;
    write_text(pixels, fmt::format("{:.0f} m", metres), label + cv::Point2d(5, kSmallLetter + 5),
               kSmallLetter, kQuiet);
  }
}

void draw_camera(const CameraPose& camera, const MapScale& scale, cv::Mat& pixels) {
  constexpr double kShown = 3;  // metres: enough to see where it looks
  const cv::Point2d place = scale.at(camera.x, camera.y);
  const auto along = [&](double angle) {
    return scale.at(camera.x + kShown * std::cos(angle), camera.y + kShown * std::sin(angle));
  };
  const std::vector<cv::Point2d> field = {place, along(camera.left), along(camera.yaw), along(camera.right)};
  fill_face(pixels, field, kQuiet, 0.22);
}

void draw_vehicle(const MapScale& scale, cv::Mat& pixels) {
  constexpr double kBack = -1.0;
  constexpr double kFront = 3.7;
  constexpr double kSide = 0.95;
  const std::vector<cv::Point2d> outline = {scale.at(kBack, kSide),         scale.at(kFront - 0.9, kSide),
                                            scale.at(kFront, kSide * 0.6),  scale.at(kFront, -kSide * 0.6),
                                            scale.at(kFront - 0.9, -kSide), scale.at(kBack, -kSide)};
  fill_face(pixels, outline, kQuiet, 0.55);
  for (std::size_t i = 0; i < outline.size(); ++i)
    stroke(pixels, outline[i], outline[(i + 1) % outline.size()], kBright, 1);
}

/// Corners from the front left one, clockwise seen from above.
std::array<cv::Point2d, 4> footprint(const Box3d& box, const MapScale& scale) {
  const auto corners = corners_of(box);
  const auto at = [&](std::size_t i) { return scale.at(corners[i][0], corners[i][1]); };
  return {at(0), at(1), at(5), at(4)};
}

bool is_drawable(const Box3d& box) {
  const std::array<double, 6> numbers = {box.x, box.y, box.dx, box.dy, box.dz, box.yaw};
  return std::all_of(numbers.begin(), numbers.end(),
                     [](double number) { return std::isfinite(number) && std::abs(number) < 1e5; });
}

/// Where it will be in a second.
void draw_motion(const Box3d& box, const MapScale& scale, const cv::Scalar& color, int width,
                 cv::Mat& pixels) {
  if (!(std::hypot(box.vx, box.vy) > kSlow) || std::hypot(box.vx, box.vy) > 1e3) return;
  stroke_arrow(pixels, scale.at(box.x, box.y), scale.at(box.x + box.vx, box.y + box.vy), color, width);
}

void draw_truth(const Box3d& box, const MapScale& scale, cv::Mat& pixels) {
  const auto corners = footprint(box, scale);
  for (std::size_t i = 0; i < corners.size(); ++i)
    stroke_dashed(pixels, corners[i], corners[(i + 1) % corners.size()], kTruthInk, 1, 3);
  draw_motion(box, scale, kTruthInk, 1, pixels);
}

void draw_prediction(const Detection3d& one, const MapScale& scale, cv::Mat& pixels) {
  const cv::Scalar color = class_ink(one.label);
  const auto corners = footprint(one.box, scale);
  fill_face(pixels, corners, color, 0.25 + 0.45 * std::clamp(one.score, 0.0, 1.0));
  for (std::size_t i = 0; i < corners.size(); ++i)
    stroke(pixels, corners[i], corners[(i + 1) % corners.size()], color, 1);
  // The heading leaves by the thick side.
  stroke(pixels, corners[0], corners[1], color, 3);
  draw_motion(one.box, scale, color, 2, pixels);
}

void write_score(const Detection3d& one, const MapScale& scale, cv::Mat& pixels) {
  const auto corners = footprint(one.box, scale);
  double right = 0;
  double top = pixels.rows;
  for (const cv::Point2d& corner : corners) {
    right = std::max(right, corner.x);
    top = std::min(top, corner.y);
  }
  write_text(pixels, fmt::format("{:.0f}", 100 * one.score), {right + 3, top + kSmallLetter}, kSmallLetter,
             class_ink(one.label));
}

}  // namespace

cv::Scalar class_ink(std::int64_t label) { return color_of(label) * 0.72 + kBright * 0.28; }

void draw_map(const Scene3d& scene, const std::vector<CameraPose>& cameras, cv::Mat& pixels) {
  const MapScale scale(scene.range, pixels);
  draw_ground(scale, scene.range, pixels);
  for (const CameraPose& camera : cameras) draw_camera(camera, scale, pixels);
  draw_vehicle(scale, pixels);
  for (const Detection3d& one : scene.predictions) {
    if (is_drawable(one.box)) draw_prediction(one, scale, pixels);
  }
  if (scene.truth) {
    for (const LabelledBox3d& one : *scene.truth) {
      if (is_drawable(one.box)) draw_truth(one.box, scale, pixels);
    }
  }
  for (const Detection3d& one : scene.predictions) {
    if (is_drawable(one.box)) write_score(one, scale, pixels);
  }
}

int draw_headline(const Scene3d& scene, int width_px, cv::Mat* pixels) {
  constexpr int kMargin = 12;
  constexpr int kRow = 30;
  struct Entry {
    std::string text;
    cv::Scalar color;
    bool truth;
  };
  std::vector<Entry> legend;
  for (std::size_t i = 0; i < scene.labels.size(); ++i)
    legend.push_back({scene.labels[i], class_ink(static_cast<std::int64_t>(i)), false});
  if (scene.truth) legend.push_back({"truth", kTruthInk, true});
  const auto title = [&](std::int64_t number, std::int64_t frame) {
    return fmt::format("{}{}scene {}   frame {}", scene.title, scene.title.empty() ? "" : "   ", number,
                       frame);
  };
  // Room for any number, so that all frames get one size.
  const int title_width = size_of_text(title(9999, 9999), kLetter).width;
  int legend_width = 0;
  for (const Entry& entry : legend) legend_width += size_of_text(entry.text, kLetter).width + 44;
  const bool apart = title_width + legend_width + 3 * kMargin > width_px;
  if (pixels == nullptr) return apart ? 2 * kRow : kRow;
  write_text(*pixels, title(scene.scene, scene.frame), {kMargin, kRow - 9.0}, kLetter, kBright);
  double x = apart ? kMargin : width_px - legend_width;
  const double base = (apart ? 2 * kRow : kRow) - 9.0;
  for (const Entry& entry : legend) {
    const std::array<cv::Point2d, 4> swatch = {cv::Point2d(x, base - kLetter),
                                               cv::Point2d(x + 18, base - kLetter), cv::Point2d(x + 18, base),
                                               cv::Point2d(x, base)};
    if (!entry.truth) fill_face(*pixels, swatch, entry.color, 0.6);
    for (std::size_t i = 0; i < swatch.size(); ++i) {
      const cv::Point2d& next = swatch[(i + 1) % swatch.size()];
      if (entry.truth) {
        stroke_dashed(*pixels, swatch[i], next, entry.color, 1, 3);
      } else {
        stroke(*pixels, swatch[i], next, entry.color, 1);
      }
    }
    write_text(*pixels, entry.text, {x + 24, base}, kLetter, kBright);
    x += size_of_text(entry.text, kLetter).width + 44;
  }
  return apart ? 2 * kRow : kRow;
}

Status check_range(const Scene3d& scene) {
  const auto& range = scene.range;
  const bool finite =
      std::all_of(range.begin(), range.end(), [](double number) { return std::abs(number) <= 1e5; });
  if (finite && range[2] - range[0] >= 1 && range[3] - range[1] >= 1) return {};
  return make_error(ErrorCode::kInvalidInput,
                    fmt::format("found a map from ({}, {}) to ({}, {}); expected at least a metre each way",
                                range[0], range[1], range[2], range[3]));
}

}  // namespace tarmac

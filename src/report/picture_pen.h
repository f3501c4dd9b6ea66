// Lines, faces and letters on OpenCV's pictures: what all drawings of results share.
#pragma once

#include <cstdint>
#include <opencv2/core/mat.hpp>
#include <span>
#include <string>

namespace tarmac {

/// Blue, green, red. Each class has a hue of its own: neighbours are a golden angle apart.
cv::Scalar color_of(std::int64_t label);
/// Black or white, whichever is read better on it.
cv::Scalar ink_on(const cv::Scalar& color);

/// Smooth lines; places are in pixels and may lie between them, and outside of the picture.
void stroke(cv::Mat& pixels, cv::Point2d first, cv::Point2d last, const cv::Scalar& color, int width);
void stroke_dashed(cv::Mat& pixels, cv::Point2d first, cv::Point2d last, const cv::Scalar& color, int width,
                   double dash_px);
/// With a head at `last`; nothing where it is shorter than 2 pixels.
void stroke_arrow(cv::Mat& pixels, cv::Point2d first, cv::Point2d last, const cv::Scalar& color, int width);

/// A convex face; `opacity` in [0, 1].
void fill_face(cv::Mat& pixels, std::span<const cv::Point2d> corners, const cv::Scalar& color,
               double opacity);

/// Letters whose capitals are this high; ASCII.
cv::Size size_of_text(const std::string& text, int letter_px);
/// From its lower left corner to the right.
void write_text(cv::Mat& pixels, const std::string& text, cv::Point2d at, int letter_px,
                const cv::Scalar& color);

}  // namespace tarmac

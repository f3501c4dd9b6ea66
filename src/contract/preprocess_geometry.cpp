#include "contract/preprocess_geometry.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "contract/picture.h"

namespace tarmac {
namespace {

Error impossible(const std::string& what) { return make_error(ErrorCode::kInvalidInput, what); }

Status check_fused(std::span<const PreprocessStep> steps) {
  bool padded = false;
  for (const PreprocessStep& step : steps) {
    if (std::holds_alternative<PadStep>(step)) padded = true;
    const auto* resize = std::get_if<ResizeStep>(&step);
    if (resize == nullptr) continue;
    if (resize->interpolation != Interpolation::kLinear) {
      return impossible(std::string("geometry fused interpolates linearly, found resize with ") +
                        to_string(resize->interpolation) + "; write linear, or geometry: opencv");
    }
    if (padded) {
      return impossible(
          "geometry fused interpolates once, found a resize of a padded picture; pad after it, or write "
          "geometry: opencv");
    }
    padded = resize->mode == ResizeMode::kLetterbox;
  }
  return {};
}

}  // namespace

Status check_geometry(const InputSpec& input) {
  if (input.geometry == Geometry::kFused) return check_fused(input.preprocess);
  const auto* decode =
      input.preprocess.empty() ? nullptr : std::get_if<DecodeStep>(&input.preprocess.front());
  if (decode == nullptr || !decode->raw) return {};
  if (decode->raw->matrix == YuvMatrix::kBt601 && decode->raw->range == YuvRange::kLimited) return {};
  return impossible(
      "geometry opencv has only the colours of yuv_matrix bt601 and yuv_range limited; write geometry: "
      "fused");
}

Status check_result_size(double height, double width) {
  if (height * width <= static_cast<double>(kMaxPicturePixels)) return {};
  return make_error(ErrorCode::kInvalidInput, "a step gives a picture of " + std::to_string(width) + " x " +
                                                  std::to_string(height) + " pixels; at most " +
                                                  std::to_string(kMaxPicturePixels) + " are allowed");
}

Result<Window> resized_window(const ResizeStep& step, int height, int width) {
  double to_height = step.height;
  double to_width = step.width;
  if (step.mode != ResizeMode::kStretch) {
    const double by_height = to_height / height;
    const double by_width = to_width / width;
    const double scale =
        step.mode == ResizeMode::kLetterbox ? std::min(by_height, by_width) : std::max(by_height, by_width);
    to_height = std::max(1.0, std::nearbyint(height * scale));
    to_width = std::max(1.0, std::nearbyint(width * scale));
  }
  TARMAC_CHECK_OK(check_result_size(to_height, to_width));
  return Window{0, 0, static_cast<int>(to_height), static_cast<int>(to_width)};
}

Result<Window> crop_window(const CropStep& step, int height, int width) {
  const int top = step.centered ? (height - step.height) / 2 : step.top;
  const int left = step.centered ? (width - step.width) / 2 : step.left;
  if (step.height > height - top || step.width > width - left) {
    return make_error(ErrorCode::kInvalidInput,
                      "the crop of " + std::to_string(step.height) + " x " + std::to_string(step.width) +
                          " at (" + std::to_string(top) + ", " + std::to_string(left) +
                          ") reaches outside the picture, which is " + std::to_string(height) + " high and " +
                          std::to_string(width) + " wide");
  }
  return Window{top, left, step.height, step.width};
}

PadStep letterbox_pad(const ResizeStep& step, int height, int width) {
  const int top = (step.height - height) / 2;
  const int left = (step.width - width) / 2;
  return {top, step.height - height - top, left, step.width - width - left, step.pad_value};
}

}  // namespace tarmac

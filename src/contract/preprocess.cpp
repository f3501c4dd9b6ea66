#include "contract/preprocess.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <utility>

#include "base/sha256.h"
#include "contract/describe.h"

namespace tarmac {
namespace {

Error too_large(double height, double width) {
  return make_error(ErrorCode::kInvalidInput, "a step gives a picture of " + std::to_string(width) + " x " +
                                                  std::to_string(height) + " pixels; at most " +
                                                  std::to_string(kMaxPicturePixels) + " are allowed");
}

int to_opencv(Interpolation interpolation) {
  switch (interpolation) {
    case Interpolation::kNearest:
      return cv::INTER_NEAREST;
    case Interpolation::kLinear:
      return cv::INTER_LINEAR;
    case Interpolation::kCubic:
      return cv::INTER_CUBIC;
    case Interpolation::kArea:
      return cv::INTER_AREA;
    case Interpolation::kLanczos4:
      return cv::INTER_LANCZOS4;
  }
  return cv::INTER_LINEAR;
}

cv::Scalar to_scalar(const PadValue& value) { return {double(value[0]), double(value[1]), double(value[2])}; }

Result<cv::Mat> apply_step(const ResizeStep& step, const cv::Mat& picture) {
  double height = step.height;
  double width = step.width;
  if (step.mode != ResizeMode::kStretch) {
    const double by_height = height / picture.rows;
    const double by_width = width / picture.cols;
    const double scale =
        step.mode == ResizeMode::kLetterbox ? std::min(by_height, by_width) : std::max(by_height, by_width);
    height = std::max(1.0, std::nearbyint(picture.rows * scale));
    width = std::max(1.0, std::nearbyint(picture.cols * scale));
  }
  if (height * width > double(kMaxPicturePixels)) return too_large(height, width);
  cv::Mat resized;
  cv::resize(picture, resized, cv::Size(int(width), int(height)), 0, 0, to_opencv(step.interpolation));
  if (step.mode != ResizeMode::kLetterbox) return resized;
  const int top = (step.height - resized.rows) / 2;
  const int left = (step.width - resized.cols) / 2;
  cv::Mat padded;
  cv::copyMakeBorder(resized, padded, top, step.height - resized.rows - top, left,
                     step.width - resized.cols - left, cv::BORDER_CONSTANT, to_scalar(step.pad_value));
  return padded;
}

Result<cv::Mat> apply_step(const CropStep& step, const cv::Mat& picture) {
  const int top = step.centered ? (picture.rows - step.height) / 2 : step.top;
  const int left = step.centered ? (picture.cols - step.width) / 2 : step.left;
  if (step.height > picture.rows - top || step.width > picture.cols - left) {
    return make_error(ErrorCode::kInvalidInput,
                      "the crop of " + std::to_string(step.height) + " x " + std::to_string(step.width) +
                          " at (" + std::to_string(top) + ", " + std::to_string(left) +
                          ") reaches outside the picture, which is " + std::to_string(picture.rows) +
                          " high and " + std::to_string(picture.cols) + " wide");
  }
  return picture(cv::Rect(left, top, step.width, step.height));
}

Result<cv::Mat> apply_step(const PadStep& step, const cv::Mat& picture) {
  const double height = double(picture.rows) + step.top + step.bottom;
  const double width = double(picture.cols) + step.left + step.right;
  if (height * width > double(kMaxPicturePixels)) return too_large(height, width);
  cv::Mat padded;
  // Isolated: what a crop left outside must not come back as border.
  cv::copyMakeBorder(picture, padded, step.top, step.bottom, step.left, step.right,
                     cv::BORDER_CONSTANT | cv::BORDER_ISOLATED, to_scalar(step.pad_value));
  return padded;
}

Result<cv::Mat> apply_step(const DecodeStep& /*step*/, const cv::Mat& picture) { return picture; }
Result<cv::Mat> apply_step(const NormalizeStep& /*step*/, const cv::Mat& picture) { return picture; }

/// Gray conversion and geometry; colours stay blue green red, as pack() turns them round at no cost.
Result<cv::Mat> shape_picture(const PictureView& view, ColorOrder color,
                              const std::vector<PreprocessStep>& geometry) {
  if (view.data == nullptr || view.height <= 0 || view.width <= 0 ||
      view.row_bytes < std::size_t(view.width) * 3) {
    return make_error(ErrorCode::kInvalidInput,
                      "found a picture without pixels, or with rows shorter than its width");
  }
  try {
    // OpenCV has no read-only matrix; nothing below writes to this one.
    cv::Mat picture(view.height, view.width, CV_8UC3, const_cast<std::uint8_t*>(view.data), view.row_bytes);
    if (color == ColorOrder::kGray) {
      cv::Mat gray;
      cv::cvtColor(picture, gray, cv::COLOR_BGR2GRAY);
      picture = gray;
    }
    for (const PreprocessStep& step : geometry) {
      TARMAC_TRY(picture, std::visit([&](const auto& typed) { return apply_step(typed, picture); }, step));
    }
    return picture;
  } catch (const std::bad_alloc&) {
    return make_error(ErrorCode::kResourceExhausted, "not enough memory to preprocess the picture");
  } catch (const std::exception& error) {  // cv::Exception is one
    return make_error(ErrorCode::kInternal,
                      std::string("OpenCV failed while preprocessing: ") + error.what());
  }
}

PictureView view_of(const cv::Mat& picture) {
  return {picture.data, picture.rows, picture.cols, picture.step[0]};
}

/// Pad values are written in the decoded order, the working picture is blue green red.
PreprocessStep with_working_order(PreprocessStep step, ColorOrder color) {
  if (color != ColorOrder::kRGB) return step;
  if (auto* resize = std::get_if<ResizeStep>(&step)) std::swap(resize->pad_value[0], resize->pad_value[2]);
  if (auto* pad = std::get_if<PadStep>(&step)) std::swap(pad->pad_value[0], pad->pad_value[2]);
  return step;
}

/// Same height and width whatever the picture: the last step that sets both, changed by what follows.
std::optional<std::pair<int, int>> static_size(const std::vector<PreprocessStep>& geometry) {
  std::optional<std::pair<int, int>> size;
  for (const PreprocessStep& step : geometry) {
    if (const auto* resize = std::get_if<ResizeStep>(&step)) {
      size.reset();
      if (resize->mode != ResizeMode::kFitShorter) size = std::pair(resize->height, resize->width);
    } else if (const auto* crop = std::get_if<CropStep>(&step)) {
      size = std::pair(crop->height, crop->width);
    } else if (const auto* pad = std::get_if<PadStep>(&step); pad != nullptr && size) {
      size->first += pad->top + pad->bottom;
      size->second += pad->left + pad->right;
    }
  }
  return size;
}

Error unusable(const InputSpec& input, const std::string& what) {
  return make_error(ErrorCode::kInvalidInput, "the preprocessing of input '" + input.name + "' " + what);
}

}  // namespace

Result<Preprocessor> Preprocessor::make(const InputSpec& input) {
  static std::once_flag once;
  std::call_once(once, [] { cv::setNumThreads(1); });

  const auto* decode = input.is_picture() ? std::get_if<DecodeStep>(&input.preprocess.front()) : nullptr;
  if (decode == nullptr) return unusable(input, "must start with decode");
  if (input.layout == Layout::kNone) return unusable(input, "needs a layout");
  Preprocessor made;
  made.color_ = decode->color;
  made.layout_ = input.layout;
  const std::size_t channels = decode->color == ColorOrder::kGray ? 1 : 3;
  NormalizeStep normalize{1.0, std::vector<double>(channels, 0.0), std::vector<double>(channels, 1.0)};
  for (const PreprocessStep& step : std::span(input.preprocess).subspan(1)) {
    if (const auto* typed = std::get_if<NormalizeStep>(&step)) {
      if (&step != &input.preprocess.back()) return unusable(input, "must have normalize last");
      normalize = *typed;
    } else if (std::holds_alternative<DecodeStep>(step)) {
      return unusable(input, "decodes twice");
    } else {
      made.geometry_.push_back(with_working_order(step, made.color_));
    }
  }
  if (normalize.mean.size() != channels || normalize.std.size() != channels) {
    return unusable(input, "needs " + std::to_string(channels) + " values of mean and std");
  }
  if (input.dtype != DType::kFloat32 && input.dtype != DType::kFloat16 && input.dtype != DType::kUint8 &&
      input.dtype != DType::kInt8) {
    return unusable(input, std::string("cannot give ") + to_string(input.dtype) +
                               "; allowed: float32, float16, uint8, int8");
  }
  made.table_ = make_pack_table(input.dtype, normalize);
  if (const auto size = static_size(made.geometry_))
    made.output_shape_ = made.shape_of(size->first, size->second);
  made.description_ = describe_preprocess(input);
  return made;
}

Shape Preprocessor::shape_of(int height, int width) const {
  if (layout_ == Layout::kNCHW) return {1, table_.channels, height, width};
  return {1, height, width, table_.channels};
}

Result<Tensor> Preprocessor::run(const PictureView& picture) const {
  TARMAC_TRY(const cv::Mat shaped, shape_picture(picture, color_, geometry_));
  TARMAC_TRY(Tensor tensor, Tensor::allocate(table_.dtype, shape_of(shaped.rows, shaped.cols)));
  pack(view_of(shaped), table_, layout_, color_ == ColorOrder::kRGB, tensor.mutable_bytes().data());
  return tensor;
}

Status Preprocessor::run_into(const PictureView& picture, std::span<std::byte> out) const {
  TARMAC_TRY(const cv::Mat shaped, shape_picture(picture, color_, geometry_));
  const Shape shape = shape_of(shaped.rows, shaped.cols);
  TARMAC_TRY(const std::size_t needed, size_bytes(table_.dtype, shape));
  const auto element_bytes = static_cast<std::size_t>(bit_width(table_.dtype)) / 8;
  if (out.size() != needed || reinterpret_cast<std::uintptr_t>(out.data()) % element_bytes != 0) {
    return make_error(ErrorCode::kInvalidInput, "the picture comes to " + to_string(shape) + ", " +
                                                    std::to_string(needed) + " bytes; found room for " +
                                                    std::to_string(out.size()) + ", or not aligned");
  }
  pack(view_of(shaped), table_, layout_, color_ == ColorOrder::kRGB, out.data());
  return {};
}

Result<Tensor> Preprocessor::run(const std::filesystem::path& picture) const {
  TARMAC_TRY(const Picture decoded, read_picture(picture));
  auto tensor = run(decoded.view);
  if (!tensor) tensor.error().context = picture.string();
  return tensor;
}

Status Preprocessor::run_into(const std::filesystem::path& picture, std::span<std::byte> out) const {
  TARMAC_TRY(const Picture decoded, read_picture(picture));
  auto done = run_into(decoded.view, out);
  if (!done) done.error().context = picture.string();
  return done;
}

Result<Tensor> Preprocessor::run_encoded(std::span<const std::byte> file) const {
  TARMAC_TRY(const Picture decoded, decode_picture(file));
  return run(decoded.view);
}

std::string Preprocessor::fingerprint() const {
  return to_hex(sha256(std::as_bytes(std::span(description_))));
}

}  // namespace tarmac

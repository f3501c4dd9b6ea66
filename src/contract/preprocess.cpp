#include "contract/preprocess.h"

#include <mutex>
#include <opencv2/core.hpp>
#include <utility>

#include "base/sha256.h"
#include "contract/describe.h"
#include "contract/raw_frame.h"

namespace tarmac {
namespace {

using ops::camera::FrameView;

/// Same height and width whatever the picture: the last step that sets both, changed by what follows.
std::optional<std::pair<int, int>> static_size(const PictureSteps& steps) {
  std::optional<std::pair<int, int>> size;
  if (steps.decode.raw) size = std::pair(steps.decode.raw->height, steps.decode.raw->width);
  if (steps.undistort) size = std::pair(steps.undistort->height, steps.undistort->width);
  for (const PreprocessStep& step : steps.geometry) {
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

Result<PictureSteps> take_apart(const InputSpec& input) {
  const auto* decode = input.is_picture() ? std::get_if<DecodeStep>(&input.preprocess.front()) : nullptr;
  if (decode == nullptr) return unusable(input, "must start with decode");
  if (input.layout == Layout::kNone) return unusable(input, "needs a layout");
  PictureSteps steps;
  steps.decode = *decode;
  steps.dtype = input.dtype;
  steps.layout = input.layout;
  const std::size_t channels = decode->color == ColorOrder::kGray ? 1 : 3;
  steps.normalize = {1.0, std::vector<double>(channels, 0.0), std::vector<double>(channels, 1.0)};
  for (const PreprocessStep& step : std::span(input.preprocess).subspan(1)) {
    if (const auto* typed = std::get_if<NormalizeStep>(&step)) {
      if (&step != &input.preprocess.back()) return unusable(input, "must have normalize last");
      steps.normalize = *typed;
    } else if (const auto* undistort = std::get_if<UndistortStep>(&step)) {
      if (&step != &input.preprocess[1]) return unusable(input, "must have undistort after decode");
      steps.undistort = *undistort;
    } else if (std::holds_alternative<DecodeStep>(step)) {
      return unusable(input, "decodes twice");
    } else {
      steps.geometry.push_back(step);
    }
  }
  if (steps.normalize.mean.size() != channels || steps.normalize.std.size() != channels) {
    return unusable(input, "needs " + std::to_string(channels) + " values of mean and std");
  }
  if (input.dtype != DType::kFloat32 && input.dtype != DType::kFloat16 && input.dtype != DType::kUint8 &&
      input.dtype != DType::kInt8) {
    return unusable(input, std::string("cannot give ") + to_string(input.dtype) +
                               "; allowed: float32, float16, uint8, int8");
  }
  if (const auto possible = check_geometry(input); !possible)
    return unusable(input, "is impossible: " + possible.error().message);
  return steps;
}

FrameView frame_of(const PictureView& picture) {
  return {PixelFormat::kBgr, picture.height, picture.width, picture.data, picture.row_bytes};
}

}  // namespace

Result<Preprocessor> Preprocessor::make(const InputSpec& input) {
  static std::once_flag once;
  std::call_once(once, [] { cv::setNumThreads(1); });

  TARMAC_TRY(const PictureSteps steps, take_apart(input));
  Preprocessor made;
  made.raw_ = steps.decode.raw;
  made.dtype_ = input.dtype;
  made.layout_ = input.layout;
  made.channels_ = steps.decode.color == ColorOrder::kGray ? 1 : 3;
  TARMAC_TRY(made.geometry_,
             input.geometry == Geometry::kFused ? make_fused_geometry(steps) : make_opencv_geometry(steps));
  if (steps.undistort) made.source_size_ = {steps.undistort->height, steps.undistort->width};
  if (const auto size = static_size(steps)) made.output_shape_ = made.shape_of(size->first, size->second);
  made.description_ = describe_preprocess(input);
  return made;
}

Shape Preprocessor::shape_of(int height, int width) const {
  if (layout_ == Layout::kNCHW) return {1, channels_, height, width};
  return {1, height, width, channels_};
}

Status Preprocessor::check(const FrameView& frame) const {
  const auto wrong = [](const std::string& what) { return make_error(ErrorCode::kInvalidInput, what); };
  const auto size = [](int height, int width) {
    return std::to_string(height) + " high and " + std::to_string(width) + " wide";
  };
  TARMAC_CHECK_OK(ops::camera::check_frame(frame));
  const PixelFormat expected = raw_ ? raw_->format : PixelFormat::kBgr;
  if (frame.format != expected) {
    return wrong(std::string("found a frame of ") + to_string(frame.format) +
                 "; the contract's decode step says " + to_string(expected));
  }
  if (raw_ && (frame.height != raw_->height || frame.width != raw_->width)) {
    return wrong("found a frame " + size(frame.height, frame.width) + "; the contract's are " +
                 size(raw_->height, raw_->width));
  }
  if (source_size_ && (frame.height != source_size_->first || frame.width != source_size_->second)) {
    return wrong("found a picture " + size(frame.height, frame.width) + "; the camera was calibrated for " +
                 size(source_size_->first, source_size_->second));
  }
  return {};
}

Result<Tensor> Preprocessor::run(const FrameView& frame) const {
  TARMAC_CHECK_OK(check(frame));
  Tensor tensor;
  TARMAC_CHECK_OK(geometry_->run(frame, [&](int height, int width) -> Result<std::byte*> {
    TARMAC_TRY(tensor, Tensor::allocate(dtype_, shape_of(height, width)));
    return tensor.mutable_bytes().data();
  }));
  return tensor;
}

Status Preprocessor::run_into(const FrameView& frame, std::span<std::byte> out) const {
  TARMAC_CHECK_OK(check(frame));
  return geometry_->run(frame, [&](int height, int width) -> Result<std::byte*> {
    // No Shape, which would be memory for each frame.
    const auto element_bytes = static_cast<std::size_t>(bit_width(dtype_)) / 8;
    const std::size_t needed = static_cast<std::size_t>(channels_) * static_cast<std::size_t>(height) *
                               static_cast<std::size_t>(width) * element_bytes;
    if (out.size() == needed && reinterpret_cast<std::uintptr_t>(out.data()) % element_bytes == 0)
      return out.data();
    return make_error(ErrorCode::kInvalidInput, "the picture comes to " + to_string(shape_of(height, width)) +
                                                    ", " + std::to_string(needed) +
                                                    " bytes; found room for " + std::to_string(out.size()) +
                                                    ", or not aligned");
  });
}

Result<Tensor> Preprocessor::run(const PictureView& picture) const { return run(frame_of(picture)); }

Status Preprocessor::run_into(const PictureView& picture, std::span<std::byte> out) const {
  return run_into(frame_of(picture), out);
}

/// What `use` makes of the file's frame, with the path in its error.
template <typename T, typename Use>
Result<T> Preprocessor::with_file(const std::filesystem::path& path, const Use& use) const {
  Result<T> result = [&]() -> Result<T> {
    if (raw_) {
      TARMAC_TRY(const RawFrame frame, read_raw_frame(*raw_, path));
      return use(frame.view);
    }
    TARMAC_TRY(const Picture decoded, read_picture(path));
    return use(frame_of(decoded.view));
  }();
  if (!result) result.error().context = path.string();
  return result;
}

Result<Tensor> Preprocessor::run(const std::filesystem::path& picture) const {
  return with_file<Tensor>(picture, [&](const FrameView& frame) { return run(frame); });
}

Status Preprocessor::run_into(const std::filesystem::path& picture, std::span<std::byte> out) const {
  return with_file<void>(picture, [&](const FrameView& frame) { return run_into(frame, out); });
}

Result<Tensor> Preprocessor::run_encoded(std::span<const std::byte> file) const {
  if (raw_) {
    TARMAC_TRY(const FrameView frame, view_raw_frame(*raw_, file));
    return run(frame);
  }
  TARMAC_TRY(const Picture decoded, decode_picture(file));
  return run(decoded.view);
}

bool Preprocessor::reads(const std::filesystem::path& path) const {
  return raw_ ? has_frame_extension(path) : has_picture_extension(path);
}

std::string Preprocessor::fingerprint() const {
  return to_hex(sha256(std::as_bytes(std::span(description_))));
}

}  // namespace tarmac

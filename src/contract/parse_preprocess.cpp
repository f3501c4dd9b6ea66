#include <algorithm>
#include <cmath>

#include "contract/parse_camera.h"
#include "contract/preprocess_geometry.h"
#include "contract/sections.h"
#include "contract/words.h"

namespace tarmac {
namespace {

constexpr int kMaxSide = 16384;
constexpr std::size_t kMaxSteps = 16;

/// What is known about the picture after the steps read so far; an unset side depends on the picture.
struct Progression {
  int steps = 0;
  bool decoded = false;
  bool normalized = false;
  int channels = 0;
  std::optional<int> height;
  std::optional<int> width;
};

Result<std::pair<int, int>> parse_pair(const Field& field, int min, std::string_view expected) {
  TARMAC_TRY(const auto elements, field.elements(expected));
  if (elements.size() != 2) return field.wrong(expected);
  TARMAC_TRY(const int first, elements[0].small_integer(min, kMaxSide));
  TARMAC_TRY(const int second, elements[1].small_integer(min, kMaxSide));
  return std::pair(first, second);
}

Result<PadValue> parse_pad_value(const Field& field, int channels) {
  PadValue value{};
  TARMAC_TRY(const auto elements, field.elements("one value from 0 to 255 a channel"));
  if (static_cast<int>(elements.size()) != channels) {
    return field.wrong("a list of " + std::to_string(channels) + ", one value a channel");
  }
  for (std::size_t i = 0; i < elements.size(); ++i) {
    TARMAC_TRY(const int channel_value, elements[i].small_integer(0, 255));
    value[i] = static_cast<std::uint8_t>(channel_value);
  }
  return value;
}

Result<PreprocessStep> parse_decode(const Field& field, Progression& state) {
  TARMAC_CHECK_OK(field.allow_keys({"color", "format", "size", "row_bytes", "yuv_matrix", "yuv_range"}));
  TARMAC_TRY(const Field color, field.require("color"));
  DecodeStep step;
  TARMAC_TRY(step.color, color.choice(kColorWords));
  TARMAC_TRY(step.raw, parse_raw_format(field));
  if (step.raw) std::tie(state.height, state.width) = std::pair(step.raw->height, step.raw->width);
  state.channels = step.color == ColorOrder::kGray ? 1 : 3;
  return PreprocessStep(step);
}

Result<PreprocessStep> parse_undistort_step(const Field& field, Progression& state) {
  TARMAC_TRY(const UndistortStep step, parse_undistort(field));
  if (state.height && (step.height != *state.height || step.width != *state.width)) {
    return field.error("the camera was calibrated for " + std::to_string(step.height) + " x " +
                       std::to_string(step.width) + ", but the frames are " + std::to_string(*state.height) +
                       " high and " + std::to_string(*state.width) + " wide");
  }
  state.height = step.height;
  state.width = step.width;
  return PreprocessStep(step);
}

Result<PreprocessStep> parse_resize(const Field& field, Progression& state) {
  TARMAC_CHECK_OK(field.allow_keys({"size", "interpolation", "mode", "pad_value"}));
  ResizeStep step;
  TARMAC_TRY(const Field size, field.require("size"));
  TARMAC_TRY(std::tie(step.height, step.width), parse_pair(size, 1, "a list of two, [height, width]"));
  if (const auto word = field.find("interpolation")) {
    TARMAC_TRY(step.interpolation, word->choice(kInterpolationWords));
  }
  if (const auto word = field.find("mode")) {
    TARMAC_TRY(step.mode, word->choice(kResizeModeWords));
  }
  const auto pad_value = field.find("pad_value");
  const bool letterbox = step.mode == ResizeMode::kLetterbox;
  if (pad_value && !letterbox)
    return pad_value->error("pad_value belongs to mode letterbox; remove it or set the mode");
  if (letterbox && !pad_value)
    return field.error("mode letterbox needs the key 'pad_value', such as [114, 114, 114]");
  if (pad_value) {
    TARMAC_TRY(step.pad_value, parse_pad_value(*pad_value, state.channels));
  }
  const bool known = step.mode != ResizeMode::kFitShorter;
  state.height = known ? std::optional(step.height) : std::nullopt;
  state.width = known ? std::optional(step.width) : std::nullopt;
  return PreprocessStep(step);
}

Result<PreprocessStep> parse_crop(const Field& field, Progression& state) {
  TARMAC_CHECK_OK(field.allow_keys({"size", "position"}));
  CropStep step;
  TARMAC_TRY(const Field size, field.require("size"));
  TARMAC_TRY(std::tie(step.height, step.width), parse_pair(size, 1, "a list of two, [height, width]"));
  TARMAC_TRY(const Field position, field.require("position"));
  const auto word = position.text();
  step.centered = word.ok() && *word == "center";
  if (!step.centered) {
    TARMAC_TRY(std::tie(step.top, step.left), parse_pair(position, 0, "center, or a list of two, [y, x]"));
  }
  if ((state.height && step.top + step.height > *state.height) ||
      (state.width && step.left + step.width > *state.width)) {
    return field.error("the crop reaches outside the picture, which here is " +
                       (state.height ? std::to_string(*state.height) : "?") + " high and " +
                       (state.width ? std::to_string(*state.width) : "?") + " wide; crop less");
  }
  state.height = step.height;
  state.width = step.width;
  return PreprocessStep(step);
}

Result<PreprocessStep> parse_pad(const Field& field, Progression& state) {
  TARMAC_CHECK_OK(field.allow_keys({"top", "bottom", "left", "right", "pad_value"}));
  PadStep step;
  const std::pair<std::string_view, int*> sides[] = {
      {"top", &step.top}, {"bottom", &step.bottom}, {"left", &step.left}, {"right", &step.right}};
  for (const auto& [key, side] : sides) {
    if (const auto value = field.find(key)) {
      TARMAC_TRY(*side, value->small_integer(0, kMaxSide));
    }
  }
  TARMAC_TRY(const Field value, field.require("pad_value"));
  TARMAC_TRY(step.pad_value, parse_pad_value(value, state.channels));
  if (state.height) *state.height += step.top + step.bottom;
  if (state.width) *state.width += step.left + step.right;
  return PreprocessStep(step);
}

Result<std::vector<double>> parse_channel_values(const Field& field, int channels, bool nonzero) {
  TARMAC_TRY(const auto elements, field.elements("a list of numbers, one a channel"));
  if (static_cast<int>(elements.size()) != channels) {
    return field.wrong("a list of " + std::to_string(channels) + ", one number a channel");
  }
  std::vector<double> values;
  for (const Field& element : elements) {
    TARMAC_TRY(const double value, element.number());
    if (nonzero && (value <= 0 || !std::isnormal(value))) return element.wrong("a number above 0");
    values.push_back(value);
  }
  return values;
}

Result<PreprocessStep> parse_normalize(const Field& field, Progression& state) {
  TARMAC_CHECK_OK(field.allow_keys({"scale", "mean", "std"}));
  const auto channels = static_cast<std::size_t>(state.channels);
  NormalizeStep step;
  step.mean.assign(channels, 0.0);
  step.std.assign(channels, 1.0);
  if (const auto scale = field.find("scale")) {
    TARMAC_TRY(step.scale, scale->ratio());
  }
  if (const auto mean = field.find("mean")) {
    TARMAC_TRY(step.mean, parse_channel_values(*mean, state.channels, false));
  }
  if (const auto std = field.find("std")) {
    TARMAC_TRY(step.std, parse_channel_values(*std, state.channels, true));
  }
  state.normalized = true;
  return PreprocessStep(step);
}

Result<PreprocessStep> parse_step(const std::string& name, const Field& field, Progression& state) {
  static constexpr std::string_view kNames[] = {"decode", "undistort", "resize", "crop", "pad", "normalize"};
  if (std::find(std::begin(kNames), std::end(kNames), name) == std::end(kNames)) {
    const std::string_view near = closest_word(name, kNames);
    return field.error("found the unknown step " + quote(name) + "; " +
                       (near.empty() ? "" : "did you mean '" + std::string(near) + "'? ") +
                       "allowed: " + join(kNames));
  }
  if (!state.decoded && name != "decode")
    return field.error(name + " stands before decode; decode must come first");
  if (state.decoded && name == "decode")
    return field.error("decode stands here again; it is allowed once, as the first step");
  if (state.normalized) return field.error(name + " stands after normalize; normalize must be the last step");
  if (name == "undistort" && state.steps != 1)
    return field.error("undistort stands after another step; it must follow decode");
  ++state.steps;
  state.decoded = true;
  if (name == "decode") return parse_decode(field, state);
  if (name == "undistort") return parse_undistort_step(field, state);
  if (name == "resize") return parse_resize(field, state);
  if (name == "crop") return parse_crop(field, state);
  if (name == "pad") return parse_pad(field, state);
  return parse_normalize(field, state);
}

/// The picture that leaves the last step must fit the input's shape.
Status check_result(const Field& field, const InputSpec& input, const Progression& state) {
  static constexpr DType kAllowed[] = {DType::kFloat32, DType::kFloat16, DType::kUint8, DType::kInt8};
  if (std::find(std::begin(kAllowed), std::end(kAllowed), input.dtype) == std::end(kAllowed)) {
    return field.error(std::string("found the dtype ") + to_string(input.dtype) +
                       "; pictures become float32, float16, uint8 or int8");
  }
  const bool nchw = input.layout == Layout::kNCHW;
  const InputDim& channels = input.shape[nchw ? 1 : 3];
  const InputDim& height = input.shape[nchw ? 2 : 1];
  const InputDim& width = input.shape[nchw ? 3 : 2];
  if (!channels.fixed()) {
    return field.error("found the symbol " + quote(channels.symbol) +
                       " for the channels of the shape; a picture has " + std::to_string(state.channels));
  }
  if (channels.size != state.channels) {
    return field.error("the steps give " + std::to_string(state.channels) + " channels, but under layout " +
                       to_string(input.layout) + " the shape has " + std::to_string(channels.size));
  }
  const std::pair<const InputDim*, std::optional<int>> sides[] = {{&height, state.height},
                                                                  {&width, state.width}};
  const char* const names[] = {"height", "width"};
  for (std::size_t i = 0; i < 2; ++i) {
    const auto& [dim, size] = sides[i];
    if (!dim->fixed()) continue;
    if (!size) {
      return field.error(std::string("the steps leave the ") + names[i] +
                         " to the picture, but the shape has " + std::to_string(dim->size) +
                         "; add a resize or a crop");
    }
    if (dim->size != *size) {
      return field.error(std::string("the steps give the ") + names[i] + " " + std::to_string(*size) +
                         ", but the shape has " + std::to_string(dim->size));
    }
  }
  return {};
}

}  // namespace

Status parse_preprocess(const Field& field, InputSpec& input) {
  TARMAC_TRY(const auto elements, field.elements("a list of steps, the first one decode"));
  if (elements.empty() || elements.size() > kMaxSteps) {
    return field.wrong("1 to " + std::to_string(kMaxSteps) + " steps, the first one decode");
  }
  Progression state;
  for (const Field& element : elements) {
    TARMAC_TRY(const auto step, element.entries("one step, such as decode: {color: RGB}"));
    if (step.size() != 1) return element.wrong("one step, such as decode: {color: RGB}");
    TARMAC_TRY(input.preprocess.emplace_back(), parse_step(step[0].first, step[0].second, state));
  }
  if (const auto possible = check_geometry(input); !possible) return field.error(possible.error().message);
  return check_result(field, input, state);
}

}  // namespace tarmac

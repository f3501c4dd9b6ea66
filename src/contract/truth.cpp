#include "contract/truth.h"

#include <cmath>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "contract/field.h"
#include "contract/picture.h"
#include "contract/trace_geometry.h"
#include "metrics/segmentation.h"
#include "ops/camera_preprocess/camera_map.h"

namespace tarmac {
namespace {

namespace fs = std::filesystem;

/// The picture's path below the data's folder, by which its truth is found.
fs::path name_below(const fs::path& picture, const fs::path& root) {
  fs::path relative = picture.lexically_normal().lexically_relative(root.lexically_normal());
  const bool outside = relative.empty() || *relative.begin() == "..";
  return outside ? picture.filename() : relative;
}

/// What the pictures' paths are relative to.
fs::path root_of(const DataSource& source) {
  if (!source.root.empty()) return source.root;
  return source.kind == DataKind::kList ? source.path.parent_path() : source.path;
}

/// Height and width of what the data's file holds.
Result<std::pair<int, int>> picture_size(const InputSpec& input, const fs::path& picture) {
  const auto& decode = std::get<DecodeStep>(input.preprocess.front());
  if (decode.raw) return std::pair(decode.raw->height, decode.raw->width);
  TARMAC_TRY(const auto file, MappedFile::open(picture));
  auto header = read_picture_header(file->bytes());
  if (!header) {
    header.error().context = picture.string();
    return std::move(header).error();
  }
  return std::pair(static_cast<int>(header->height), static_cast<int>(header->width));
}

/// The values of an 8-bit gray PNG: other kinds change their values when they are decoded.
Result<Tensor> decode_mask(std::span<const std::byte> file) {
  constexpr std::size_t kDepthAt = 24;  // of the chunk IHDR, with the colour type behind it
  constexpr int kGray = 0;
  TARMAC_TRY(const PictureHeader header, read_picture_header(file));
  const bool png = header.format == PictureFormat::kPng && file.size() > kDepthAt + 1;
  const int bits = png ? std::to_integer<int>(file[kDepthAt]) : 0;
  const int color = png ? std::to_integer<int>(file[kDepthAt + 1]) : -1;
  if (bits != 8 || color != kGray) {
    return make_error(
        ErrorCode::kInvalidInput,
        png ? "found a PNG of " + std::to_string(bits) + " bits and colour type " + std::to_string(color) +
                  "; a label map is a gray PNG of 8 bits, whose values are the classes"
            : std::string("found a picture that is no PNG; a label map is a gray PNG of 8 bits, "
                          "whose values are the classes"));
  }
  TARMAC_TRY(const Picture picture, decode_picture(file));
  TARMAC_TRY(Tensor map, Tensor::allocate(DType::kUint8, {picture.view.height, picture.view.width}));
  auto out = map.mutable_data<std::uint8_t>().begin();
  for (int y = 0; y < picture.view.height; ++y) {
    const std::uint8_t* const row = picture.view.data + static_cast<std::size_t>(y) * picture.view.row_bytes;
    for (int x = 0; x < picture.view.width; ++x) *out++ = row[3 * x];
  }
  return map;
}

Result<Tensor> read_mask(const fs::path& path) {
  TARMAC_TRY(const auto file, MappedFile::open(path));
  auto map = decode_mask(file->bytes());
  if (!map) map.error().context = path.string();
  return map;
}

/// The label at a place of the undistorted picture.
class Sampler {
 public:
  Sampler(const Tensor& map, const InputSpec& input)
      : labels_(map.data<std::uint8_t>()), height_(map.shape()[0]), width_(map.shape()[1]) {
    for (const PreprocessStep& step : input.preprocess) {
      if (const auto* undistort = std::get_if<UndistortStep>(&step)) lens_ = undistort->lens;
    }
  }

  [[nodiscard]] std::uint8_t at(std::int32_t row, std::int32_t column) const {
    constexpr auto kNone = static_cast<std::uint8_t>(kIgnoredLabel);
    if (row < 0 || column < 0) return kNone;
    if (!lens_) return label(row, column);
    const auto place = ops::camera::distort(*lens_, column, row);
    const double y = std::nearbyint(place.y);
    const double x = std::nearbyint(place.x);
    const bool inside =
        y >= 0 && y < static_cast<double>(height_) && x >= 0 && x < static_cast<double>(width_);
    return inside ? label(static_cast<std::int64_t>(y), static_cast<std::int64_t>(x)) : kNone;
  }

 private:
  [[nodiscard]] std::uint8_t label(std::int64_t row, std::int64_t column) const {
    return labels_[static_cast<std::size_t>(row * width_ + column)];
  }

  std::span<const std::uint8_t> labels_;
  std::int64_t height_;
  std::int64_t width_;
  std::optional<Lens> lens_;
};

Result<Tensor> apply(const GeometryTrace& trace, const Tensor& map, const InputSpec& input) {
  const Sampler sampler(map, input);
  TARMAC_TRY(Tensor result,
             Tensor::allocate(DType::kUint8, {static_cast<std::int64_t>(trace.rows.size()),
                                              static_cast<std::int64_t>(trace.columns.size())}));
  auto out = result.mutable_data<std::uint8_t>().begin();
  for (const std::int32_t row : trace.rows) {
    for (const std::int32_t column : trace.columns) *out++ = sampler.at(row, column);
  }
  return result;
}

class Masks final : public TruthSource {
 public:
  Masks(const InputSpec& input, const DataSource& source)
      : input_(input), masks_(source.truth), root_(root_of(source)) {}

  [[nodiscard]] fs::path mask_of(const DataItem& item) const {
    return (masks_ / name_below(item.path, root_)).replace_extension(".png");
  }

  [[nodiscard]] Result<Truth> load(const DataItem& item) const override {
    TARMAC_TRY(const Tensor mask, read_mask(mask_of(item)));
    TARMAC_TRY(const auto size, picture_size(input_, item.path));
    TARMAC_TRY(const GeometryTrace trace, trace_geometry(input_, size.first, size.second));
    Truth truth;
    if (mask.shape() == Shape{size.first, size.second}) {
      TARMAC_TRY(truth.label_map, apply(trace, mask, input_));
      truth.of_input = true;
    } else {
      truth.label_map = mask;
      truth.of_input = mask.shape() == Shape{static_cast<std::int64_t>(trace.rows.size()),
                                             static_cast<std::int64_t>(trace.columns.size())};
    }
    return truth;
  }

 private:
  InputSpec input_;
  fs::path masks_;
  fs::path root_;
};

class Boxes final : public TruthSource {
 public:
  Boxes(const InputSpec& input, const DataSource& source,
        std::map<std::string, std::vector<LabelledBox>> boxes)
      : input_(input), root_(root_of(source)), boxes_(std::move(boxes)) {}

  /// By the path below the data's folder, else by the file's name; null where there is no entry.
  [[nodiscard]] const std::vector<LabelledBox>* find(const DataItem& item) const {
    auto found = boxes_.find(name_below(item.path, root_).generic_string());
    if (found == boxes_.end()) found = boxes_.find(item.path.filename().string());
    return found == boxes_.end() ? nullptr : &found->second;
  }

  [[nodiscard]] Result<Truth> load(const DataItem& item) const override {
    TARMAC_TRY(const auto size, picture_size(input_, item.path));
    TARMAC_TRY(const GeometryTrace trace, trace_geometry(input_, size.first, size.second));
    Truth truth;
    truth.has_boxes = true;
    for (LabelledBox one : *find(item)) {
      one.box = trace.apply(one.box);
      if (one.box.area() > 0) truth.boxes.push_back(one);
    }
    return truth;
  }

 private:
  InputSpec input_;
  fs::path root_;
  std::map<std::string, std::vector<LabelledBox>> boxes_;
};

}  // namespace

Result<std::shared_ptr<const TruthSource>> TruthSource::open(const Contract& contract,
                                                             const DataSource& source,
                                                             const std::vector<DataItem>& items) {
  const InputSpec& input = contract.inputs.front();
  if (source.labels == LabelSource::kMasks) {
    auto masks = std::make_shared<const Masks>(input, source);
    for (const DataItem& item : items) {
      std::error_code failed;
      if (fs::is_regular_file(masks->mask_of(item), failed)) continue;
      return make_error(ErrorCode::kNotFound,
                        "there is no label map " + quote(masks->mask_of(item).string()) + " for the picture",
                        {}, item.path.string());
    }
    return std::shared_ptr<const TruthSource>(std::move(masks));
  }
  TARMAC_TRY(auto by_picture, read_coco(source.truth, contract.labels));
  auto boxes = std::make_shared<const Boxes>(input, source, std::move(by_picture));
  for (const DataItem& item : items) {
    if (boxes->find(item) != nullptr) continue;
    return make_error(ErrorCode::kInvalidInput,
                      "found no entry in 'images' for the picture " + quote(item.path.string()), {},
                      source.truth.string());
  }
  return std::shared_ptr<const TruthSource>(std::move(boxes));
}

}  // namespace tarmac

#include "report/picture_scene.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <opencv2/imgproc.hpp>

#include "report/picture_map.h"
#include "report/picture_pen.h"

namespace tarmac {
namespace {

constexpr std::int64_t kMaxCameras = 64;
constexpr std::int64_t kMaxSide = 8192;
constexpr int kMaxFactor = 8;  ///< by which small views are enlarged
constexpr int kGap = 6;
constexpr int kLetter = 12;

int even(double size) { return 2 * static_cast<int>(size / 2); }

/// Without a first axis of 1 before the `rank` axes that are wanted.
Shape without_batch(const Tensor& tensor, std::size_t rank) {
  Shape shape = tensor.shape();
  if (shape.size() == rank + 1 && shape.front() == 1) shape.erase(shape.begin());
  return shape;
}

struct Rig {
  std::int64_t cameras = 0;
  int height = 0;
  int width = 0;
  std::vector<Projection> projections;
};

Result<Rig> read_rig(const Scene3d& scene) {
  const Shape images = without_batch(scene.images, 4);
  const bool usable = images.size() == 4 && images[0] >= 1 && images[0] <= kMaxCameras && images[1] == 3 &&
                      std::min(images[2], images[3]) >= 1 && std::max(images[2], images[3]) <= kMaxSide;
  if (!usable || scene.images.dtype() != DType::kUint8) {
    return make_error(
        ErrorCode::kInvalidInput,
        fmt::format(
            "found images of {} {}; only uint8 [cameras, 3, height, width] can be drawn on, with up to "
            "{} cameras: give the model its pictures as they are and normalise them inside of it",
            to_string(scene.images.dtype()), to_string(scene.images.shape()), kMaxCameras));
  }
  if (scene.projection.dtype() != DType::kFloat32 ||
      without_batch(scene.projection, 3) != Shape{images[0], 4, 4}) {
    return make_error(
        ErrorCode::kInvalidInput,
        fmt::format("found projections of {} {}; expected float32 [{}, 4, 4], one for each of "
                    "the images' cameras",
                    to_string(scene.projection.dtype()), to_string(scene.projection.shape()), images[0]));
  }
  Rig rig{images[0], static_cast<int>(images[2]), static_cast<int>(images[3]), {}};
  std::vector<float> numbers(static_cast<std::size_t>(images[0]) * 16);
  std::memcpy(numbers.data(), scene.projection.bytes().data(), numbers.size() * sizeof(float));
  for (std::size_t camera = 0; camera < static_cast<std::size_t>(images[0]); ++camera) {
    Projection& projection = rig.projections.emplace_back();
    std::copy_n(numbers.begin() + static_cast<std::ptrdiff_t>(16 * camera), 16, projection.begin());
  }
  return rig;
}

/// Where everything goes; sizes in pixels.
struct Places {
  int columns = 0;
  int rows = 0;
  int view_height = 0;
  int view_width = 0;
  int head = 0;
  int map_width = 0;
  int height = 0;
  int width = 0;
};

Places place_parts(const Rig& rig, const Scene3d& scene, int view_height_px) {
  Places layout;
  const auto cameras = static_cast<int>(rig.cameras);
  layout.columns = cameras > 2 ? 2 : 1;
  layout.rows = (cameras + layout.columns - 1) / layout.columns;
  const int wanted = layout.columns == 1 ? 2 * view_height_px : view_height_px;
  if (rig.height <= wanted) {
    const int factor = std::min(wanted / rig.height, kMaxFactor);
    layout.view_height = rig.height * factor;
    layout.view_width = rig.width * factor;
  } else {
    layout.view_height = wanted;
    layout.view_width = std::max(1, static_cast<int>(std::int64_t{rig.width} * wanted / rig.height));
  }
  const int views = layout.rows * layout.view_height + (layout.rows - 1) * kGap;
  const double shape = (scene.range[3] - scene.range[1]) / (scene.range[2] - scene.range[0]);
  layout.map_width = std::max(2, even(views * std::clamp(shape, 0.5, 2.0)));
  layout.width = even(layout.columns * (layout.view_width + kGap) + layout.map_width + 2 * kGap + 1);
  layout.head = draw_headline(scene, layout.width, nullptr);
  layout.height = even(layout.head + views + kGap + 1);
  return layout;
}

/// A camera's picture as blue, green, red at the size that it is shown.
cv::Mat view_of(const Scene3d& scene, const Rig& rig, std::size_t camera, const Places& layout) {
  const auto plane = static_cast<std::size_t>(rig.height) * static_cast<std::size_t>(rig.width);
  auto* const first = const_cast<std::byte*>(scene.images.bytes().data()) + 3 * plane * camera;
  std::vector<cv::Mat> channels;
  for (const std::size_t channel : {2U, 1U, 0U})
    channels.emplace_back(rig.height, rig.width, CV_8UC1, first + plane * channel);
  cv::Mat picture;
  cv::merge(channels, picture);
  const bool smaller = layout.view_height < rig.height;
  cv::Mat view;
  cv::resize(picture, view, {layout.view_width, layout.view_height}, 0, 0,
             smaller ? cv::INTER_AREA : cv::INTER_CUBIC);
  return view;
}

cv::Point2d in_pixels(const PicturePoint& point, const cv::Mat& view) {
  return {point.u * view.cols - 0.5, point.v * view.rows - 0.5};
}

void draw_boxes(const Scene3d& scene, const Projection& projection, cv::Mat& view) {
  if (scene.truth) {
    for (const LabelledBox3d& one : *scene.truth) {
      const auto seen = project_box(one.box, projection);
      if (!seen) continue;
      for (const PictureLine& line : seen->lines)
        stroke_dashed(view, in_pixels(line.first, view), in_pixels(line.last, view), kTruthInk, 1, 3);
    }
  }
  std::vector<std::pair<ProjectedBox, std::int64_t>> boxes;
  for (const Detection3d& one : scene.predictions) {
    if (auto seen = project_box(one.box, projection)) boxes.emplace_back(*std::move(seen), one.label);
  }
  // The nearest comes last, so that it lies on top.
  std::stable_sort(boxes.begin(), boxes.end(),
                   [](const auto& a, const auto& b) { return a.first.depth > b.first.depth; });
  const int width = view.rows < 200 ? 1 : 2;
  for (const auto& [box, label] : boxes) {
    const cv::Scalar color = class_ink(label);
    std::vector<cv::Point2d> front;
    for (const PicturePoint& point : box.front) front.push_back(in_pixels(point, view));
    if (!front.empty()) fill_face(view, front, color, 0.35);
    for (const PictureLine& line : box.lines)
      stroke(view, in_pixels(line.first, view), in_pixels(line.last, view), color, width);
  }
}

void write_name(const std::string& name, cv::Mat& view) {
  const cv::Size size = size_of_text(name, kLetter);
  const cv::Rect plate(0, 0, std::min(view.cols, size.width + 14), std::min(view.rows, kLetter + 12));
  view(plate) *= 0.35;
  write_text(view, name, {7, kLetter + 6.0}, kLetter, kBright);
}

PictureView view_of(const cv::Mat& pixels) { return {pixels.data, pixels.rows, pixels.cols, pixels.step[0]}; }

}  // namespace

Result<Scene3d> scene_of(const Contract& contract, const std::map<std::string, Tensor>& inputs) {
  const auto& detections = contract.detections;
  if (!detections || !detections->center_point || !detections->view) {
    return make_error(
        ErrorCode::kUsage,
        "nothing says which inputs boxes are drawn with; add 'view: {images: INPUT, projection: "
        "INPUT}' to the section 'detections' of a 3-D detector",
        {}, contract.file.string());
  }
  Scene3d scene;
  for (const auto& [name, tensor] : {std::pair(&detections->view->images, &scene.images),
                                     {&detections->view->projection, &scene.projection}}) {
    const auto found = inputs.find(*name);
    if (found == inputs.end())
      return make_error(ErrorCode::kNotFound, "there is no input '" + *name + "'", {},
                        contract.file.string());
    *tensor = found->second;
  }
  scene.labels = contract.labels;
  const auto& range = detections->center_point->range;
  scene.range = {range[0], range[1], range[3], range[4]};
  return scene;
}

Result<PictureCanvas> draw_scene_3d(const Scene3d& scene, int view_height_px) {
  TARMAC_CHECK_OK(check_range(scene));
  TARMAC_TRY(const Rig rig, read_rig(scene));
  try {
    const Places layout = place_parts(rig, scene, view_height_px);
    cv::Mat pixels(layout.height, layout.width, CV_8UC3, kScreen);
    draw_headline(scene, layout.width, &pixels);
    std::vector<CameraPose> poses;
    for (std::size_t camera = 0; camera < rig.projections.size(); ++camera) {
      cv::Mat view = view_of(scene, rig, camera, layout);
      draw_boxes(scene, rig.projections[camera], view);
      const auto pose = pose_of(rig.projections[camera]);
      if (pose) poses.push_back(*pose);
      write_name(pose ? view_name(*pose) : fmt::format("camera {}", camera), view);
      const auto at = static_cast<int>(camera);
      const int row = at % layout.rows;
      const int column = at / layout.rows;
      view.copyTo(pixels(cv::Rect(kGap + column * (layout.view_width + kGap),
                                  layout.head + row * (layout.view_height + kGap), view.cols, view.rows)));
    }
    cv::Mat map = pixels(cv::Rect(layout.width - kGap - layout.map_width, layout.head, layout.map_width,
                                  layout.height - layout.head - kGap));
    draw_map(scene, poses, map);
    return PictureCanvas::create(view_of(pixels));
  } catch (const std::exception& error) {  // of shapes that were checked, only memory can be short
    return make_error(ErrorCode::kResourceExhausted,
                      std::string("the frame cannot be drawn: ") + error.what());
  }
}

Result<PictureCanvas> draw_map_3d(const Scene3d& scene, int width_px) {
  TARMAC_CHECK_OK(check_range(scene));
  try {
    const double shape = (scene.range[2] - scene.range[0]) / (scene.range[3] - scene.range[1]);
    const int head = draw_headline(scene, width_px, nullptr);
    cv::Mat pixels(head + even(width_px * std::clamp(shape, 0.5, 2.0)), even(width_px), CV_8UC3, kScreen);
    draw_headline(scene, width_px, &pixels);
    cv::Mat map = pixels(cv::Rect(0, head, pixels.cols, pixels.rows - head));
    draw_map(scene, {}, map);
    return PictureCanvas::create(view_of(pixels));
  } catch (const std::exception& error) {
    return make_error(ErrorCode::kResourceExhausted, std::string("the map cannot be drawn: ") + error.what());
  }
}

}  // namespace tarmac

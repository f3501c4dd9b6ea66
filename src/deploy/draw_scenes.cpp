#include "deploy/draw_scenes.h"

#include <fmt/format.h>

#include <algorithm>

#include "report/picture_animation.h"
#include "report/picture_scene.h"

namespace tarmac {
namespace {

// So that all of it takes a few megabytes of report.html.
constexpr std::size_t kPictures = 4;
constexpr std::size_t kAnimatedFrames = 40;
constexpr int kMapWidth = 420;
constexpr int kFrameMs = 250;
constexpr int kJpegQuality = 82;

/// A sample with its place in its scene, as one cell sees it.
Result<Scene3d> scene_of_sample(const Contract& contract, const Dataset& data, const Cell& cell,
                                std::size_t index) {
  TARMAC_TRY(const auto inputs, data.load(index));
  TARMAC_TRY(Scene3d scene, scene_of(contract, inputs));
  scene.predictions = cell.detections_3d[index];
  if (data.has_truth()) {
    TARMAC_TRY(Truth truth, data.load_truth(index));
    if (truth.has_boxes_3d) scene.truth = std::move(truth.boxes_3d);
  }
  scene.title = fmt::format("{} on {}", cell.result.variant, cell.result.target);
  const auto& items = data.items();
  scene.scene = items[index].scene;
  std::size_t first = index;
  while (first > 0 && items[first - 1].scene == items[index].scene) --first;
  scene.frame = static_cast<std::int64_t>(index - first);
  return scene;
}

Result<report::SceneAnimation> animate(const Contract& contract, const Dataset& data, const Cell& cell) {
  const std::size_t frames = std::min(kAnimatedFrames, data.size());
  PictureAnimation animation;
  for (std::size_t index = 0; index < frames; ++index) {
    TARMAC_TRY(const Scene3d scene, scene_of_sample(contract, data, cell, index));
    TARMAC_TRY(const PictureCanvas map, draw_map_3d(scene, kMapWidth));
    TARMAC_CHECK_OK(animation.add(map.view()));
  }
  report::SceneAnimation made{cell.result.variant, cell.result.target, static_cast<std::int64_t>(frames), {}};
  TARMAC_TRY(made.png, animation.encode(kFrameMs));
  return made;
}

}  // namespace

Result<std::optional<report::SceneSheet>> draw_scenes(const Contract& contract, const Dataset& data,
                                                      const std::vector<Cell>& cells, const Cell& deployed) {
  const auto has_all = [&](const Cell& cell) {
    return !cell.detections_3d.empty() && cell.detections_3d.size() == data.size();
  };
  if (!has_all(deployed)) return std::optional<report::SceneSheet>();
  std::vector<const Cell*> shown;
  const auto original = std::find_if(cells.begin(), cells.end(), [&](const Cell& cell) {
    return cell.result.variant == "original" && cell.result.target == deployed.result.target;
  });
  if (original != cells.end() && has_all(*original)) shown.push_back(&*original);
  shown.push_back(&deployed);
  report::SceneSheet sheet;
  const std::size_t pictures = std::min(kPictures, data.size());
  for (std::size_t i = 0; i < pictures; ++i) {
    // In the middles of equal parts: state has built up there.
    const std::size_t index = (2 * i + 1) * data.size() / (2 * pictures);
    for (const Cell* cell : shown) {
      TARMAC_TRY(const Scene3d scene, scene_of_sample(contract, data, *cell, index));
      TARMAC_TRY(const PictureCanvas picture, draw_scene_3d(scene));
      report::ScenePicture& made = sheet.pictures.emplace_back(
          report::ScenePicture{cell->result.variant, cell->result.target, scene.scene, scene.frame, {}});
      TARMAC_TRY(made.jpeg, picture.encode(".jpg", kJpegQuality));
    }
  }
  TARMAC_TRY(sheet.maps.emplace_back(), animate(contract, data, deployed));
  return std::optional(std::move(sheet));
}

}  // namespace tarmac

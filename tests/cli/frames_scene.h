// A detector that can be worked out by hand, and frames for it.
#pragma once

#include <string>
#include <vector>

#include "cli/child_program.h"
#include "support/temporary_folder.h"

namespace tarmac::test {

/// detector.onnx has the head of FastestDet over an 8 × 8 picture, with 2 × 2 places: the mean red of a
/// quarter is its objectness, green and blue the probabilities of the classes "tree" and "lake", and the box
/// is the quarter. Frames are 16 wide and 12 high.
class FramesScene {
 public:
  FramesScene();

  [[nodiscard]] std::string path(const std::string& name) const { return (folder_ / name).string(); }
  [[nodiscard]] const TemporaryFolder& folder() const { return folder_; }
  /// A black frame (PPM) with what is called for in quarters 0 to 3, by rows: 't'ree, 'w'eak
  /// tree (score 0.575), 'l'ake, '.' nothing.
  std::string frame(const std::string& name, const std::string& quarters) const;
  /// frame() for each, as a video.
  std::string video(const std::string& name, const std::vector<std::string>& frames) const;
  /// `tarmac run detector.onnx --contract deploy.yaml --input image=FRAMES --output-dir out` and more.
  [[nodiscard]] ProgramResult run(const std::string& frames, const std::vector<std::string>& more = {},
                                  const ProgramOptions& options = {}) const;
  /// The lines of out/detections.jsonl.
  [[nodiscard]] std::vector<nlohmann::json> lines(const std::string& file = "out/detections.jsonl") const;

 private:
  TemporaryFolder folder_;
};

}  // namespace tarmac::test

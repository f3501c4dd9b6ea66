// What a model's outputs say of a frame: as JSON, and drawn on it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/output.h"
#include "cli/run/frame_reader.h"
#include "cli/run/meaning.h"
#include "metrics/class_map.h"
#include "report/picture_canvas.h"

namespace tarmac::cli {

/// Of one frame; what the task does not have is empty.
struct FrameResult {
  std::vector<Detection> detections;  ///< boxes in pixels of the frame
  TopLabel top;
  ClassMap classes;
  GeometryTrace trace;  ///< of the frame's size
};

/// The latest run's outputs, for a frame of this size and `input`, whose preprocessing they come from.
/// Errors: kInvalidInput (shapes that the task does not have), kNotFound (an output).
Result<FrameResult> interpret(const Meaning& meaning, const InputSpec& input, int height, int width,
                              Session& session);

/// The result's part of a line: "detections", "top1" or "shares".
void add_to_json(const FrameResult& result, const Meaning& meaning, Json& line);

void draw(const FrameResult& result, const Meaning& meaning, PictureCanvas& canvas);

/// What the task finds in all frames, for the summary: class → how often.
using Tally = std::vector<std::pair<std::string, std::int64_t>>;
void add_to_tally(const FrameResult& result, const Meaning& meaning, Tally& tally);

}  // namespace tarmac::cli

// Frames of a rig of cameras through a 3-D detector, scene after scene, with results that people can look at.
#pragma once

#include "cli/run/meaning.h"
#include "cli/run/run_args.h"

namespace tarmac::cli {

/// Whether the request is for scenes: --data, or --draw with a contract of 3-D detections.
bool wants_scenes(const RunArgs& args, const Meaning& meaning);

/// The temporal state that the contract beside an ONNX file names; without what --input gives, and none for a
/// plan, which knows its own. Errors: load_contract()'s.
Result<std::vector<StateSpec>> state_of_scenes(const RunArgs& args);

/// The samples of --data, else of the contract's evaluation, in order. Temporal state begins anew with each
/// scene. Without --output-dir only the summary is made. There: detections.jsonl with a line a frame, and
/// with
/// --draw NAME_000123.png for each, NAME.mp4 where a video can be written, and NAME_animation.png. Errors:
/// kUsage, Dataset::open()'s, kInvalidInput, kIo, kCancelled (what was written so far is whole).
Status run_scenes(const RunArgs& args, Meaning meaning, Session& session, Run& run);

}  // namespace tarmac::cli

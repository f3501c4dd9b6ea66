// Videos and folders of frames through a model, one after another, with results that people can look at.
#pragma once

#include <memory>

#include "cli/run/meaning.h"
#include "cli/run/run_args.h"
#include "tarmac/tracer.h"

namespace tarmac::cli {

/// Whether the request is for frames: --draw, or a video.
bool wants_frames(const RunArgs& args, const Session& session);

/// Frames of one picture input; each other input has one tensor for all. Frames that cannot be read are
/// reported and passed over; above 5 % of them it is an error at the end. Temporal state begins anew with
/// each folder or video, and after a frame that is missing. `tracer` may be null. Errors: kUsage,
/// kInvalidInput, kIo, kCancelled (what was written so far is whole).
Status run_frames(const RunArgs& args, Meaning meaning, Session& session, Tracer* tracer, Run& run);

}  // namespace tarmac::cli

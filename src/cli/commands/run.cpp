#include <memory>

#include "base/file.h"
#include "cli/args/output_args.h"
#include "cli/commands/commands.h"
#include "cli/run/run_files.h"
#include "cli/run/run_frames.h"
#include "cli/run/run_scenes.h"

namespace tarmac::cli {
namespace {

Status run_on(const RunArgs& args, Session& session, Tracer* tracer, Run& run) {
  TARMAC_TRY(Meaning meaning, find_meaning(args.model, args.contract, session));
  if (wants_scenes(args, meaning)) return run_scenes(args, std::move(meaning), session, run);
  if (wants_frames(args, session)) return run_frames(args, std::move(meaning), session, tracer, run);
  return run_files(args, meaning, session, run);
}

Status run_model(const RunArgs& args, Run& run) {
  if (!args.target.name().empty()) TARMAC_CHECK_OK(open_target(args.target.name()));
  for (const std::string& file : {args.trace, args.metrics}) {
    if (!file.empty()) TARMAC_CHECK_OK(check_output_file(file));
  }
  SessionOptions options;
  options.target = args.target.name();
  options.cores = args.target.cores;
  options.providers = args.target.providers;
  options.allow_fallback = args.target.allow_fallback;
  options.required_signer = args.signature.required_signer;
  if (!args.trace.empty()) {
    TARMAC_TRY(options.tracer, Tracer::create());
  }
  TARMAC_TRY(options.state, state_of_scenes(args));
  TARMAC_TRY(Session session, Session::open(args.model, options));
  const Status status = run_on(args, session, options.tracer.get(), run);
  // What was seen until an error counts as well.
  if (!args.trace.empty()) TARMAC_CHECK_OK(options.tracer->write_chrome_trace(args.trace));
  if (!args.metrics.empty()) {
    const std::string model = std::filesystem::path(args.model).stem().string();
    TARMAC_CHECK_OK(write_file(args.metrics, session.metrics().prometheus(model)));
  }
  return status;
}

}  // namespace

void add_run(Commands& commands) {
  const auto args = std::make_shared<RunArgs>();
  CLI::App& command =
      commands.add("run", "Run a model on tensors, pictures or videos and write its outputs",
                   {"tarmac run model.onnx --input image=frame.npy",
                    "tarmac run model.onnx --contract deploy.yaml --input image=frames/ --output-dir out",
                    "tarmac run model.plan --input image=frame.jpg --json",
                    "tarmac run detector.plan --input image=drive.mp4 --draw --output-dir out",
                    "tarmac run bevformer.plan --data scenes.npz --draw --output-dir out"},
                   [args](Run& run) { return run_model(*args, run); });
  command.add_option("model", args->model, "ONNX file or plan")->type_name("MODEL|PLAN")->required();
  command
      .add_option("--input", args->inputs,
                  "A picture, .npy, .npz or .pb for an input, a video, or a folder of pictures or videos; "
                  "repeat it for every input")
      ->type_name("NAME=FILE|DIR")
      ->allow_extra_args(false);
  command
      .add_option("--contract", args->contract,
                  "deploy.yaml with the preprocessing of pictures, and the labels")
      ->type_name("FILE");
  command
      .add_option("--output-dir", args->output_dir,
                  "Folder for the outputs, NAME.npy each ('/' in a name becomes '_'), one sub-folder a "
                  "picture; for videos and with --draw a line of JSON a frame")
      ->type_name("DIR");
  command.add_flag("--draw", args->draw,
                   "Draw the results (boxes, classes of pixels, the best label) on the frames, into "
                   "--output-dir");
  command
      .add_option("--min-score", args->min_score,
                  "Detections below it are left out; default: the contract's, or 0.25")
      ->check(CLI::Range(0.0, 1.0))
      ->type_name("SCORE");
  command
      .add_option("--data", args->data,
                  "For a 3-D detector: an .npz with an array for each input, scene after scene; default: the "
                  "contract's evaluation data")
      ->type_name("FILE.npz");
  command.add_option("--frames", args->frames, "Of a 3-D detector's data the first N samples; default: all")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
  command.add_option("--fps", args->fps, "Frames a second in the video and the animation of a 3-D detector")
      ->check(CLI::Range(0.1, 120.0))
      ->capture_default_str()
      ->type_name("N");
  command
      .add_option("--animation-height", args->animation_height,
                  "Height of a camera's view in the animation of a 3-D detector")
      ->check(CLI::Range(32, 1024))
      ->capture_default_str()
      ->type_name("PIXELS");
  command.add_option("--trace", args->trace, "Write what took how long, for Perfetto or chrome://tracing")
      ->type_name("FILE");
  command.add_option("--metrics", args->metrics, "Write counts and times as Prometheus text")
      ->type_name("FILE");
  args->target.add_one(command);
  args->signature.add(command);
}

}  // namespace tarmac::cli

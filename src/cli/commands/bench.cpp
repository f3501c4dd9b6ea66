#include <memory>

#include "base/log.h"
#include "cli/bench/machine_state.h"
#include "cli/bench/modes.h"
#include "cli/commands/commands.h"

namespace tarmac::cli {
namespace {

Status measure(const BenchArgs& args, Run& run) {
  switch (args.mode) {
    case BenchMode::kLatency:
      return bench_latency(args, run);
    case BenchMode::kThroughput:
      return bench_throughput(args, run);
    case BenchMode::kRate:
      return bench_rates(args, run);
    case BenchMode::kTogether:
      return bench_together(args, run);
  }
  return {};
}

Status bench(BenchArgs& args, Run& run) {
  TARMAC_CHECK_OK(args.settle());
  Json& json = run.output.json();
  json = {{"schema_version", 1},
          {"mode", to_string(args.mode)},
          {"models", args.models},
          {"results", Json::array()}};
  const MachineState before = machine_state();
  TARMAC_CHECK_OK(measure(args, run));
  const MachineState after = machine_state();
  json["machine"] = to_json(before, after);
  if (args.tracer) {
    TARMAC_CHECK_OK(args.tracer->write_chrome_trace(args.trace));
    json["trace"] = args.trace;
    run.output.line("Trace written to {}", args.trace);
  }
  for (const std::string& warning : noise_warnings(before, after)) log(LogLevel::kWarning, warning);
  return {};
}

}  // namespace

void add_bench(Commands& commands) {
  const auto args = std::make_shared<BenchArgs>();
  CLI::App& command =
      commands.add("bench", "Time a model: latency, throughput, frames at a rate, several models at once",
                   {"tarmac bench model.onnx --target openvino,onnxruntime --profile",
                    "tarmac bench model.plan --input image=frames/ --duration 10 --json",
                    "tarmac bench model.onnx --streams 1,2,4 --batch 1,8",
                    "tarmac bench model.plan --rate 10,20,30 --deadline 25",
                    "tarmac bench detector.plan lanes.plan --rate 30,max"},
                   [args](Run& run) { return bench(*args, run); });
  args->add(command);
}

}  // namespace tarmac::cli

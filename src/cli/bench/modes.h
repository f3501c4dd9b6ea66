// The ways in which `tarmac bench` measures. Each measures, prints, and fills in "results" of the JSON.
#pragma once

#include "cli/bench/bench_args.h"
#include "cli/program.h"

namespace tarmac::cli {

/// One inference at a time on each target, in turns.
Status bench_latency(const BenchArgs& args, Run& run);
/// As many inferences as can be, for each number of streams and batch size.
Status bench_throughput(const BenchArgs& args, Run& run);
/// Frames that are due at fixed times.
Status bench_rates(const BenchArgs& args, Run& run);
/// Several models, each alone and all at once.
Status bench_together(const BenchArgs& args, Run& run);

}  // namespace tarmac::cli

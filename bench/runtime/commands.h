// What runtime_bench can measure. Each command takes a JSON object and gives one.
#pragma once

#include <nlohmann/json.hpp>

#include "runtime/engine.h"

namespace tarmac::bench {

using Json = nlohmann::ordered_json;

/// Keys are Setup's members; absent ones keep their defaults.
Setup setup_of(const Json& json);

/// {"ours": setup, "bare": setup, "seconds", "loads"}: single runs of ours, the bare engine and the bare
/// engine again in turn, all loaded anew `loads` times. Gives for "bound" (inputs and outputs stay) and
/// "frame" (they are handed over for each run) the times of the three, and the median differences of
/// neighbouring runs to the bare engine's with their 95 % confidence.
Json measure_overhead(const Json& spec);

/// {"sides": {name: setup…}, "rounds", "seconds", "one_by_one"}: samples per second of each side in each
/// round. Sides are loaded together and take turns; with "one_by_one" each is loaded, measured and dropped. A
/// setup may say "requests"; else it is what the engine was laid out for.
Json measure_throughput(const Json& spec);

/// {"setup", "times"}: nanoseconds of each load in this process, and from its start to the first result.
Json measure_load(const Json& spec);

/// {"file", "times"}: nanoseconds of each SHA-256 of a file.
Json measure_digest(const Json& spec);

/// {"setup", "requests", "runs"}: resident memory after each request, in a thread of its own, has run.
Json measure_memory(const Json& spec);

/// {"setup", "runs"}: allocations and bytes of a run in the steady state, whoever made them.
Json measure_allocations(const Json& spec);

/// {"model", "target", "cameras": […], "frames": […], "streams", …}: six cameras' frames to the network's
/// results.
Json measure_cameras(const Json& spec);

}  // namespace tarmac::bench

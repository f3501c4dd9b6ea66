// What the ways of measuring share.
#pragma once

#include <string>

#include "cli/bench/subject.h"
#include "cli/bench/timing.h"

namespace tarmac::cli {

/// "2 s", or "100 runs".
std::string extent_text(const BenchArgs& args);

/// Begins a task whose steps are milliseconds: `times` measurements, of runs that take about `run_ns` each.
void start_timed(Run& run, std::string_view task, const BenchArgs& args, std::size_t times,
                 std::int64_t run_ns);

/// Opens the model on each of args.targets().
Result<std::vector<Subject>> open_on_targets(const BenchArgs& args, Run& run);

/// Prints the inputs' shapes and where their values come from; of what describe() gave.
void print_inputs(Output& output, const Json& description);

/// Prints and stores the memory of this process, "memory"; nothing where the system does not say.
void report_memory(Output& output, const Result<MemoryUse>& use = memory_use());

/// "2 s, settled", "not settled after 2 s"
std::string warm_up_text(const Subject& subject, const BenchArgs& args);

/// The line that scripts look for: "tarmac-bench mode=… model=… target=… streams=… batch=…" and `figures`.
void print_brief(Output& output, const BenchArgs& args, const Json& description, const std::string& figures);

void warn(Output& output, const std::string& doubt);

}  // namespace tarmac::cli

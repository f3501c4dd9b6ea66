// One function a command; each lives in the file of its name and adds itself with its options and help.
#pragma once

#include "cli/program.h"

namespace tarmac::cli {

void add_inspect(Commands& commands);
void add_check(Commands& commands);
void add_optimize(Commands& commands);
void add_quantize(Commands& commands);
void add_calibration(Commands& commands);
void add_compile(Commands& commands);
void add_run(Commands& commands);
void add_bench(Commands& commands);
void add_verify(Commands& commands);
void add_deploy(Commands& commands);
void add_completion(Commands& commands);

/// All of them, in the order in which the help lists them.
void add_commands(Commands& commands);

}  // namespace tarmac::cli

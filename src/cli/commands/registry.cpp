#include "cli/commands/commands.h"

namespace tarmac::cli {

void add_commands(Commands& commands) {
  for (const auto add : {
           add_inspect,
           add_check,
           add_optimize,
           add_quantize,
           add_calibration,
           add_compile,
           add_run,
           add_bench,
           add_verify,
           add_deploy,
           add_completion,
       }) {
    add(commands);
  }
}

}  // namespace tarmac::cli

#include "cli/commands/commands.h"

namespace tarmac::cli {

void add_commands(Commands& commands) {
  for (const auto add : {
           add_inspect,
           add_check,
           add_run,
           add_bench,
           add_deploy,
       }) {
    add(commands);
  }
}

}  // namespace tarmac::cli

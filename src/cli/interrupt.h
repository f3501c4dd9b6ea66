// Ctrl-C: the first one asks the work to stop cleanly, the second one ends the program.
#pragma once

namespace tarmac::cli {

/// From now on SIGINT and SIGTERM set interrupted(); a second one exits with 130 at once. A write beyond a
/// file size limit becomes an error instead of a signal.
void install_signal_handlers();

[[nodiscard]] bool interrupted();

}  // namespace tarmac::cli

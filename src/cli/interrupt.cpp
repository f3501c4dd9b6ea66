#include "cli/interrupt.h"

#include <unistd.h>

#include <atomic>
#include <csignal>

namespace tarmac::cli {
namespace {

constexpr int kExitInterrupted = 130;

std::atomic<bool> stop{false};
static_assert(std::atomic<bool>::is_always_lock_free);

void on_signal(int /*signal*/) {
  if (stop.exchange(true)) ::_exit(kExitInterrupted);
}

}  // namespace

void install_signal_handlers() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  ::signal(SIGXFSZ, SIG_IGN);
}

bool interrupted() { return stop; }

}  // namespace tarmac::cli

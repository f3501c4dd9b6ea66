#include "cli/terminal.h"

#include <sys/ioctl.h>

namespace tarmac::cli {

std::size_t terminal_columns(int descriptor) {
  constexpr std::size_t kDefaultColumns = 80;
  struct winsize size {};
  if (::ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kDefaultColumns;
  return size.ws_col;
}

}  // namespace tarmac::cli

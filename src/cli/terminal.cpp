#include "cli/terminal.h"

#include <sys/ioctl.h>

#include <cstdio>

namespace tarmac::cli {

std::size_t terminal_columns(int descriptor) {
  constexpr std::size_t kDefaultColumns = 80;
  struct winsize size {};
  if (::ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kDefaultColumns;
  return size.ws_col;
}

void print_error(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

}  // namespace tarmac::cli

// What is known of the terminal.
#pragma once

#include <cstddef>

namespace tarmac::cli {

/// Columns of the terminal behind a file descriptor; 80 where there is none.
std::size_t terminal_columns(int descriptor);

}  // namespace tarmac::cli

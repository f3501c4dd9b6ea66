// The terminal, and what is said there.
#pragma once

#include <cstddef>
#include <string_view>

namespace tarmac::cli {

/// Columns of the terminal behind a file descriptor; 80 where there is none.
std::size_t terminal_columns(int descriptor);

/// Writes to standard error. Where that cannot be written (a full disk) nothing else is left to say it to.
void print_error(std::string_view text);

}  // namespace tarmac::cli

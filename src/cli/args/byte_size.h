// Sizes of memory on the command line.
#pragma once

#include <cstdint>
#include <string>

#include "tarmac/result.h"

namespace tarmac::cli {

/// "4GiB", "512 MiB", "1.5G", "300MB", "1048576": K, M and G and KiB, MiB and GiB are multiples of 1024; kB,
/// MB and GB of 1000. Above 0. Errors: kUsage naming `option`.
Result<std::uint64_t> parse_byte_size(const std::string& option, const std::string& text);

}  // namespace tarmac::cli

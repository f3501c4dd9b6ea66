// -o: places where results go, checked before the work begins rather than after it.
#pragma once

#include <filesystem>

#include "tarmac/result.h"

namespace tarmac::cli {

/// OK when a file can be written there. Errors: kInvalidInput (a folder, a device), kNotFound (no such
/// folder), kIo (not writable).
Status check_output_file(const std::filesystem::path& path);

/// Makes the folder where it is missing and checks that files can be written in it.
Status make_output_folder(const std::filesystem::path& path);

}  // namespace tarmac::cli

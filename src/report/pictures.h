// Small pictures for reports.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "tarmac/result.h"

namespace tarmac {

/// Reads a picture (JPEG, PNG, BMP …), shrinks it so that no side exceeds `max_side_px` (never enlarges), and
/// returns it as JPEG. Errors: kNotFound, kIo, kInvalidInput (not a picture, or too large a one).
Result<std::vector<std::byte>> encode_thumbnail(const std::filesystem::path& picture, int max_side_px,
                                                int jpeg_quality = 80);

}  // namespace tarmac

// What the contract says of a camera: the form of its frames, and its lens.
#pragma once

#include <optional>

#include "contract/field.h"

namespace tarmac {

/// The keys format, size, row_bytes, yuv_matrix and yuv_range of decode; nothing for picture files.
Result<std::optional<RawFormat>> parse_raw_format(const Field& decode);

Result<UndistortStep> parse_undistort(const Field& field);

}  // namespace tarmac

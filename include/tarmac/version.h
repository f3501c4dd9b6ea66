// Tarmac's own version.
#pragma once

namespace tarmac {

/// "major.minor.patch", semantic versioning.
const char* version();

}  // namespace tarmac

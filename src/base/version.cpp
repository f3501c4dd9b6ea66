#include "tarmac/version.h"

namespace tarmac {

const char* version() { return TARMAC_VERSION; }

}  // namespace tarmac

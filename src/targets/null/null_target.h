// A target without an engine: the template for a new one. It accepts every node, takes and checks inputs like
// the others, and returns zeros of the declared type and shape.
#pragma once

#include "targets/target.h"

namespace tarmac {

Target& null_target();

}  // namespace tarmac

// Requests that come one at a time, run together.
#pragma once

#include "errors.h"

namespace tarmac::python {

void bind_batcher(nb::module_& module);

}  // namespace tarmac::python

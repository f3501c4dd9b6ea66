// What is done to whole models: check, optimize, verify.
#pragma once

#include "errors.h"

namespace tarmac::python {

void bind_work(nb::module_& module);

}  // namespace tarmac::python

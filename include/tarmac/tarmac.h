// The whole public interface.
#pragma once

#include "tarmac/contract.h"  // IWYU pragma: export
#include "tarmac/model.h"     // IWYU pragma: export
#include "tarmac/plan.h"      // IWYU pragma: export
#include "tarmac/result.h"    // IWYU pragma: export
#include "tarmac/session.h"   // IWYU pragma: export
#include "tarmac/tensor.h"    // IWYU pragma: export

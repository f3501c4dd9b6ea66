// The whole public interface.
#pragma once

#include "tarmac/batcher.h"      // IWYU pragma: export
#include "tarmac/contract.h"     // IWYU pragma: export
#include "tarmac/memory_pool.h"  // IWYU pragma: export
#include "tarmac/metrics.h"      // IWYU pragma: export
#include "tarmac/model.h"        // IWYU pragma: export
#include "tarmac/plan.h"         // IWYU pragma: export
#include "tarmac/result.h"       // IWYU pragma: export
#include "tarmac/session.h"      // IWYU pragma: export
#include "tarmac/tensor.h"       // IWYU pragma: export
#include "tarmac/tracer.h"       // IWYU pragma: export

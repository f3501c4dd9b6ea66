#include "ops/pillar_scatter/operator.h"

namespace tarmac::ops::pillar {

Result<std::unique_ptr<Kernel>> make_cpu(const Attributes& attributes) { return make_reference(attributes); }

}  // namespace tarmac::ops::pillar

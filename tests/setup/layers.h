#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace tarmac::setup {

/// One include that breaks the order of the layers, and why.
struct LayerViolation {
  std::string file;  ///< relative to the source root
  int line = 0;
  std::string message;
};

/// Reads every `#include` line below root/src and root/include and returns those that
///  - name a folder to the right of the including one in `layers` (folders in order, leftmost first);
///  - reach from one target's folder into another's (src/targets/<target>/); src/targets/common/ is open to
///  all of them;
///  - include a vendor's headers outside the places that may know the vendor;
///  - sit in a folder of src/ that `layers` does not name.
std::vector<LayerViolation> find_layer_violations(const std::filesystem::path& root,
                                                  const std::vector<std::string>& layers);

}  // namespace tarmac::setup

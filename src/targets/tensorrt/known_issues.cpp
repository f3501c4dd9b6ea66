#include "targets/tensorrt/known_issues.h"

namespace tarmac::tensorrt {
namespace {

bool has_window(const IssueQuery& query) {
  return query.integer("left_window_size", -1) >= 0 || query.integer("right_window_size", -1) >= 0;
}

constexpr KnownIssue kIssues[] = {
    // The parser of TensorRT-RTX 1.7.1 takes the node and reads no attribute of that name.
    {"Attention", "", has_window, "the parser leaves the window out, so all keys are attended",
     "put the window into the mask"},
};

}  // namespace

std::span<const KnownIssue> known_issues() { return kIssues; }

}  // namespace tarmac::tensorrt

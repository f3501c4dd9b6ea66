#include "ops/shapes.h"

namespace tarmac::ops {

Dim dim_of(const Type& type, std::size_t axis) {
  return type.shape && axis < type.shape->size() ? (*type.shape)[axis] : Dim();
}

Status check_rank(const char* op, const char* input, const Type& type, std::size_t rank) {
  if (!type.shape || type.shape->size() == rank) return {};
  return make_error(ErrorCode::kInvalidInput, std::string(op) + ": the input '" + input + "' is " +
                                                  to_string(type) + ", expected a tensor of rank " +
                                                  std::to_string(rank));
}

Status check_shape(const char* op, const char* input, const Type& type, const std::vector<Dim>& expected) {
  TARMAC_CHECK_OK(check_rank(op, input, type, expected.size()));
  if (!type.shape) return {};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const Dim& found = (*type.shape)[i];
    if (!found.known() || !expected[i].known() || found.size == expected[i].size) continue;
    return make_error(ErrorCode::kInvalidInput, std::string(op) + ": the input '" + input + "' is " +
                                                    to_string(type) + ", expected " +
                                                    to_string(Type::tensor(type.dtype, expected)));
  }
  return {};
}

Result<Dim> same_size(const char* op, const char* what, const Dim& a, const Dim& b) {
  if (!a.known()) return b;
  if (!b.known() || a.size == b.size) return a;
  return make_error(ErrorCode::kInvalidInput, std::string(op) + ": " + what + " is " +
                                                  std::to_string(*a.size) + " in one input and " +
                                                  std::to_string(*b.size) + " in another");
}

}  // namespace tarmac::ops

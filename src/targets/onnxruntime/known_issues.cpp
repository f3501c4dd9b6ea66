#include "targets/onnxruntime/known_issues.h"

#include <algorithm>

namespace tarmac::onnxruntime {
namespace {

/// qk_matmul_output after softcap and mask.
bool shows_masked_products(const IssueQuery& query) {
  return query.has_output(3) && query.integer("is_causal", 0) != 0 &&
         query.integer("qk_matmul_output_mode", 0) == 2;
}

bool mask_is_shorter_than_keys(const IssueQuery& query) {
  const auto keys = query.input_shape(1);
  const auto mask = query.input_shape(3);
  if (!query.has_input(6) || !keys || !mask || keys->size() < 3 || mask->empty()) return false;
  return mask->back() < (*keys)[keys->size() - 2];
}

bool has_output_shape(const IssueQuery& query) { return query.has_input(2); }

bool zero_point_by_channel(const IssueQuery& query) {
  const auto shape = query.input_shape(3);
  return shape && shape->size() == 1 && (*shape)[0] != 1;
}

bool reduces_no_bools(const IssueQuery& query) {
  const auto shape = query.input_shape(0);
  return query.input_dtype(0) == DType::kBool && shape &&
         std::find(shape->begin(), shape->end(), 0) != shape->end();
}

constexpr KnownIssue kIssues[] = {
    {"Attention", "", shows_masked_products,
     "the products that the causal mask removes are the lowest finite number instead of minus infinity",
     "Read the output with another qk_matmul_output_mode"},
    {"Attention", "", mask_is_shorter_than_keys,
     "the CPU kernel fails in the run when a padded cache outgrows the mask",
     "Pad attn_mask to the keys' length"},
    {"ConvInteger", "", zero_point_by_channel,
     "the CPU kernel takes one zero point for the weights, not one a channel",
     "Use QLinearConv or DequantizeLinear and Conv"},
    {"MaxUnpool", "", has_output_shape, "indices are not translated to the larger shape of the third input",
     "Leave output_shape out and pad the result"},
    {"ReduceMax", "", reduces_no_bools, "the CPU kernel cannot reduce no bools", "Cast to uint8 first"},
    {"Resize", "", resize_aligns_fractional_size,
     "with align_corners the scale is taken from the rounded size; ONNX takes it from size times scale",
     "Give sizes instead of scales"},
};

}  // namespace

std::span<const KnownIssue> known_issues() { return kIssues; }

}  // namespace tarmac::onnxruntime

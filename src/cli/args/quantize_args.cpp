#include "cli/args/quantize_args.h"

#include <fmt/format.h>

#include <bit>

#include "precision/quantize.h"
#include "precision/quantize_dynamic.h"
#include "precision/quantize_weights.h"
#include "precision/to_qoperator.h"

namespace tarmac::cli {
namespace {

constexpr std::int64_t kFirstDynamicOpset = 11;

/// A check that names the two words there are.
CLI::Validator one_of(const std::string& first, const std::string& second) {
  return {[=](const std::string& word) {
            return word == first || word == second
                       ? std::string()
                       : fmt::format("expected {} or {}, found '{}'", first, second, word);
          },
          std::string()};
}

Status usage(const std::string& message) { return make_error(ErrorCode::kUsage, message); }

}  // namespace

void StorageArgs::add(CLI::App& command) {
  command
      .add_option(
          "--bits", bits,
          "Bits of a weight; 4 with --mode weight-only, 7 with static, for processors without VNNI (default: "
          "8, or 7 on such a processor)")
      ->type_name("8|7|4")
      ->check([](const std::string& word) {
        return word == "8" || word == "7" || word == "4" ? "" : "expected 8, 7 or 4, found '" + word + "'";
      });
  command
      .add_option("--block", block,
                  "Input channels that share a scale with --bits 4: 16, 32, 64, 128, … (default: 32)")
      ->type_name("32|128");
  command.add_flag(
      "--symmetric", symmetric,
      "With --bits 4: no zero points but 8, the middle, as TensorRT wants it; a little less exact");
  command
      .add_option("--weight-method", weight_method,
                  "How --bits 4 rounds: nearest, or by what it does to results on --data (default: the "
                  "latter where there is data)")
      ->type_name("nearest|activation-aware")
      ->check(one_of("nearest", "activation-aware"));
  command
      .add_option("--format", format,
                  "qdq: QuantizeLinear and DequantizeLinear, for every engine; qoperator: ONNX Runtime's own "
                  "operators (default: qdq)")
      ->type_name("qdq|qoperator")
      ->check(one_of("qdq", "qoperator"));
}

Status StorageArgs::check(const std::string& mode, bool has_data, const std::string& target) const {
  if (bits == 4 && mode != "weight-only")
    return usage("--bits 4 is for --mode weight-only: no engine here computes with 4-bit activations");
  if (bits == 7 && mode != "static")
    return usage("--bits 7 is for --mode static, where 8-bit products can saturate");
  if (bits != 4 && (block != 0 || symmetric || !weight_method.empty()))
    return usage("--block, --symmetric and --weight-method are for --mode weight-only with --bits 4");
  if (block != 0 && (block < 16 || !std::has_single_bit(static_cast<std::uint64_t>(block))))
    return usage(fmt::format("--block {}: expected a power of two from 16 on, for example 32 or 128", block));
  if (weight_method == "activation-aware" && !has_data)
    return usage(
        "--weight-method activation-aware looks at real data; add --data DIR with --contract deploy.yaml, or "
        "--data FILE.npz");
  if (is_qoperator() && mode != "static") return usage("--format qoperator is for --mode static");
  if (is_qoperator() && target.empty())
    return usage("--format qoperator is one engine's own; add --target onnxruntime");
  std::string obstacle;
  if (is_qoperator()) obstacle = qoperator_obstacle(target);
  if (mode == "dynamic") obstacle = dynamic_obstacle(target);
  if (obstacle.empty()) return {};
  return make_error(ErrorCode::kUnsupported, obstacle);
}

std::int64_t StorageArgs::opset(const std::string& mode) const {
  if (mode == "static") return kOpsetForChannels;
  if (mode == "weight-only") return opset_for_weights(bits);
  return mode == "dynamic" ? kFirstDynamicOpset : 0;
}

}  // namespace tarmac::cli

#include "targets/operator_probes.h"

#include <onnx/defs/schema.h>

#include <algorithm>

#include "graph/model_io.h"
#include "passes/convert_opset.h"

namespace tarmac {
namespace {

struct Probe {
  const char* domain;
  const char* op_type;
  const char* graph;  ///< ONNX's textual syntax
};

constexpr const char* kVendor = "com.microsoft";

constexpr Probe kProbes[] = {
    {"", "Attention",
     "g (float[1,2,3,8] q, float[1,2,5,8] k, float[1,2,5,8] v) => (float[1,2,3,8] y) { y = Attention (q, k, "
     "v) }"},
    {"", "BatchNormalization",
     "g (float[1,4,3,3] x, float[4] s, float[4] b, float[4] m, float[4] v) => (float[1,4,3,3] y) "
     "{ y = BatchNormalization (x, s, b, m, v) }"},
    {"", "Cast", "g (float[2,3] x) => (int64[2,3] y) { y = Cast <to = 7> (x) }"},
    {"", "Concat", "g (float[2,3] x, float[2,3] z) => (float[2,6] y) { y = Concat <axis = 1> (x, z) }"},
    {"", "Conv", "g (float[1,4,5,5] x, float[2,4,3,3] w) => (float[1,2,3,3] y) { y = Conv (x, w) }"},
    {"", "ConvTranspose",
     "g (float[1,4,5,5] x, float[4,2,3,3] w) => (float[1,2,7,7] y) { y = ConvTranspose (x, w) }"},
    {"", "DepthToSpace",
     "g (float[1,4,2,2] x) => (float[1,1,4,4] y) { y = DepthToSpace <blocksize = 2> (x) }"},
    {"", "Gemm", "g (float[2,3] x, float[3,4] w, float[4] b) => (float[2,4] y) { y = Gemm (x, w, b) }"},
    {"", "GridSample",
     "g (float[1,2,4,4] x, float[1,3,3,2] p) => (float[1,2,3,3] y) { y = GridSample (x, p) }"},
    {"", "GroupNormalization",
     "g (float[1,4,3,3] x, float[4] s, float[4] b) => (float[1,4,3,3] y) "
     "{ y = GroupNormalization <num_groups = 2> (x, s, b) }"},
    {"", "InstanceNormalization",
     "g (float[1,4,3,3] x, float[4] s, float[4] b) => (float[1,4,3,3] y) { y = InstanceNormalization (x, s, "
     "b) }"},
    {"", "LayerNormalization",
     "g (float[2,3,8] x, float[8] s, float[8] b) => (float[2,3,8] y) { y = LayerNormalization (x, s, b) }"},
    {"", "PRelu", "g (float[1,4,3,3] x, float[4,1,1] s) => (float[1,4,3,3] y) { y = PRelu (x, s) }"},
    {"", "RMSNormalization",
     "g (float[2,3,8] x, float[8] s) => (float[2,3,8] y) { y = RMSNormalization (x, s) }"},
    {"", "RotaryEmbedding",
     "g (float[1,2,3,8] x, float[1,3,4] c, float[1,3,4] s) => (float[1,2,3,8] y) { y = RotaryEmbedding (x, "
     "c, s) }"},
    {"", "SpaceToDepth",
     "g (float[1,1,4,4] x) => (float[1,4,2,2] y) { y = SpaceToDepth <blocksize = 2> (x) }"},
    {kVendor, "Attention",
     "g (float[1,3,8] x, float[8,24] w, float[24] b) => (float[1,3,8] y) "
     "{ y = com.microsoft.Attention <num_heads = 2> (x, w, b) }"},
    {kVendor, "BiasGelu",
     "g (float[2,8] x, float[8] b) => (float[2,8] y) { y = com.microsoft.BiasGelu (x, b) }"},
    {kVendor, "EmbedLayerNormalization",
     "g (int32[1,3] i, int32[1,3] t, float[9,8] w, float[9,8] p, float[2,8] q, float[8] s, float[8] b) => "
     "(float[1,3,8] y, int32[1] m) { y, m = com.microsoft.EmbedLayerNormalization (i, t, w, p, q, s, b) }"},
    {kVendor, "FastGelu", "g (float[2,8] x) => (float[2,8] y) { y = com.microsoft.FastGelu (x) }"},
    {kVendor, "FusedConv",
     "g (float[1,4,5,5] x, float[2,4,3,3] w) => (float[1,2,3,3] y) "
     "{ y = com.microsoft.FusedConv <activation = \"Relu\"> (x, w) }"},
    {kVendor, "FusedGemm",
     "g (float[2,3] x, float[3,4] w, float[4] b) => (float[2,4] y) "
     "{ y = com.microsoft.FusedGemm <activation = \"Relu\"> (x, w, b) }"},
    {kVendor, "FusedMatMul",
     "g (float[2,3] x, float[4,3] w) => (float[2,4] y) { y = com.microsoft.FusedMatMul <transB = 1> (x, w) "
     "}"},
    {kVendor, "Gelu", "g (float[2,8] x) => (float[2,8] y) { y = com.microsoft.Gelu (x) }"},
    {kVendor, "MultiHeadAttention",
     "g (float[1,3,8] q, float[1,3,8] k, float[1,3,8] v) => (float[1,3,8] y) "
     "{ y = com.microsoft.MultiHeadAttention <num_heads = 2> (q, k, v) }"},
    {kVendor, "QuickGelu", "g (float[2,8] x) => (float[2,8] y) { y = com.microsoft.QuickGelu (x) }"},
    {kVendor, "RotaryEmbedding",
     "g (float[1,3,8] x, int64[1,3] p, float[9,2] c, float[9,2] s) => (float[1,3,8] y) "
     "{ y = com.microsoft.RotaryEmbedding <num_heads = 2> (x, p, c, s) }"},
    {kVendor, "SkipLayerNormalization",
     "g (float[1,3,8] x, float[1,3,8] r, float[8] s, float[8] b) => (float[1,3,8] y) "
     "{ y = com.microsoft.SkipLayerNormalization (x, r, s, b) }"},
    {kVendor, "SkipSimplifiedLayerNormalization",
     "g (float[1,3,8] x, float[1,3,8] r, float[8] s) => (float[1,3,8] y) "
     "{ y = com.microsoft.SkipSimplifiedLayerNormalization (x, r, s) }"},
};

/// A type that the parameter takes: float where it can be.
const char* plain_type(const onnx::OpSchema::FormalParameter& formal) {
  const auto& types = formal.GetTypes();
  const auto takes = [&](const char* type) {
    return std::any_of(types.begin(), types.end(), [&](const std::string* known) { return *known == type; });
  };
  if (takes("tensor(float)")) return "float";
  if (takes("tensor(int64)")) return "int64";
  return takes("tensor(bool)") ? "bool" : nullptr;
}

/// From the schema: each required input a tensor of four dimensions, the output as the engine finds it.
Result<std::string> call_by_schema(std::string_view op_type, std::int64_t opset_version) {
  const std::string name(op_type);
  const Error none = make_error(ErrorCode::kUnsupported,
                                "no probe for " + name + " of opset " + std::to_string(opset_version));
  const auto* schema = onnx::OpSchemaRegistry::Schema(name, static_cast<int>(opset_version), "");
  if (schema == nullptr || schema->Deprecated() || schema->outputs().empty()) return none;
  for (const auto& [key, attribute] : schema->attributes()) {
    if (attribute.required) return none;
  }
  std::string inputs;
  std::string arguments;
  for (const auto& formal : schema->inputs()) {
    if (formal.GetOption() == onnx::OpSchema::Optional) break;
    const char* type = plain_type(formal);
    if (type == nullptr) return none;
    const std::string input = "x" + std::to_string(arguments.size());
    inputs += (inputs.empty() ? "" : ", ") + std::string(type) + "[1,2,4,4] " + input;
    arguments += (arguments.empty() ? "" : ", ") + input;
  }
  const char* result = plain_type(schema->outputs().front());
  if (result == nullptr) return none;
  return "g (" + inputs + ") => (" + result + "[] y) { y = " + name + " (" + arguments + ") }";
}

}  // namespace

Result<Model> operator_probe(std::string_view domain, std::string_view op_type, std::int64_t opset_version) {
  std::string graph;
  for (const Probe& probe : kProbes) {
    if (probe.domain == domain && probe.op_type == op_type) graph = probe.graph;
  }
  if (graph.empty() && !domain.empty())
    return make_error(ErrorCode::kUnsupported,
                      "no probe for " + std::string(domain) + "." + std::string(op_type));
  if (graph.empty()) {
    TARMAC_TRY(graph, call_by_schema(op_type, opset_version));
  }
  // A vendor's operators do not depend on ONNX's set; 17 is one that every engine here knows.
  const std::int64_t opset = domain.empty() ? opset_version : 17;
  std::string header = "<ir_version: " + std::to_string(ir_version_of_opset(opset)) +
                       ", opset_import: [\"\" : " + std::to_string(opset);
  if (!domain.empty()) header += ", \"" + std::string(domain) + "\" : " + std::to_string(opset_version);
  return model_from_text(header + "]>\n" + graph);
}

}  // namespace tarmac

// The modes of quantize that need no ranges of activations, and the change of format.
#pragma once

#include "cli/args/data_args.h"
#include "cli/args/quantize_args.h"
#include "cli/program.h"
#include "targets/target.h"

namespace tarmac::cli {

struct RewriteJob {
  const StorageArgs& args;
  const std::string& mode;  ///< "weight-only" or "dynamic"
  const OpenData* data;     ///< may be null
  Target& target;           ///< on which activations are looked at
  CompileOptions options;
  bool allow_slower = false;  ///< dynamic: convolutions too
};

/// Rewrites the model, and says on `run` what became of each node.
Status rewrite_weights(Model& model, const RewriteJob& job, Run& run);

/// A Q/DQ model in ONNX Runtime's own operators; says the same.
Status rewrite_format(Model& model, Run& run);

}  // namespace tarmac::cli

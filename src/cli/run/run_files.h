// Files in, tensors out: each run reads one file for each input and writes every output as .npy.
#pragma once

#include "cli/run/meaning.h"
#include "cli/run/run_args.h"

namespace tarmac::cli {

Status run_files(const RunArgs& args, const Meaning& meaning, Session& session, Run& run);

}  // namespace tarmac::cli

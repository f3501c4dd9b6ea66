// --require-signature, the same for every command that opens plans.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace tarmac::cli {

struct SignatureArgs {
  std::string required_signer;  ///< file of a public key; empty: none is required

  CLI::Option* add(CLI::App& command);
};

}  // namespace tarmac::cli

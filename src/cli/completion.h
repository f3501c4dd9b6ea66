// Shell completion, generated from the command line itself.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "tarmac/result.h"

namespace tarmac::cli {

/// The completion script of "bash", "zsh" or "fish". Errors: kUsage (another shell).
Result<std::string> completion_script(const CLI::App& app, const std::string& shell);

}  // namespace tarmac::cli

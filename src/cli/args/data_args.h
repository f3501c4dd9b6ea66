// --data, --contract, --samples and --seed.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "deploy/open_data.h"

namespace tarmac::cli {

struct DataArgs : DataRequest {
  void add(CLI::App& command, const std::string& data_description);
};

}  // namespace tarmac::cli

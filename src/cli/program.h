// The program `tarmac`: its commands, and what happens around each of them.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <map>
#include <string>

#include "base/progress.h"
#include "cli/output.h"
#include "tarmac/result.h"

namespace tarmac::cli {

/// What a command works with.
struct Run {
  Output& output;
  Progress& progress;
};

using Command = std::function<Status(Run&)>;

/// Options that every command has.
struct CommonArgs {
  bool json = false;
  bool quiet = false;
  int verbose = 0;
};

/// The command line being built.
class Commands {
 public:
  explicit Commands(CLI::App& app) : app_(app) {}

  /// A new command; `examples` are whole command lines, shown below its options. `run` is called once the
  /// line has been parsed.
  CLI::App& add(const std::string& name, const std::string& summary, const std::vector<std::string>& examples,
                Command run);

  /// Gives every command --json, --verbose and --quiet; called once all are there, so that help lists these
  /// last.
  void add_common_options();

  [[nodiscard]] const CLI::App& app() const { return app_; }
  [[nodiscard]] const CommonArgs& common() const { return common_; }
  [[nodiscard]] const Command& find(const std::string& name) const { return commands_.at(name); }

 private:
  CLI::App& app_;
  CommonArgs common_;
  std::map<std::string, Command> commands_;
};

/// Parses the command line, runs its command and returns the exit status.
int run_program(int argc, char** argv);

}  // namespace tarmac::cli

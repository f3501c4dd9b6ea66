#include "cli/program.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <new>

#include "base/log.h"
#include "cli/commands/commands.h"
#include "cli/interrupt.h"
#include "cli/progress_bar.h"
#include "cli/suggest.h"
#include "tarmac/version.h"

namespace tarmac::cli {
namespace {

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

void install_log(const CommonArgs& common, ProgressBar& bar) {
  const auto logger = spdlog::stderr_color_mt("tarmac");
  logger->set_pattern("tarmac: %^%l%$: %v");
  logger->set_level(common.quiet          ? spdlog::level::err
                    : common.verbose == 0 ? spdlog::level::warn
                    : common.verbose == 1 ? spdlog::level::info
                                          : spdlog::level::debug);
  set_log_sink([logger, &bar](LogLevel level, const std::string& message) {
    bar.wipe();
    logger->log(to_spdlog(level), printable(message));
  });
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  return names;
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
  return names;
}

/// "message; did you mean 'x'? Run 'tarmac …' …", whichever parts there are.
std::string usage_message(const std::string& message, const std::string& suggestion,
                          const std::string& hint) {
  return message + suggestion + (suggestion.empty() ? "; run " : " Run ") + hint;
}

/// CLI11's complaint about a command line, with the nearest name that would have been right.
std::string describe_usage_error(const CLI::App& app, const CLI::ParseError& error,
                                 const std::vector<std::string>& words) {
  const std::string list_hint = "'tarmac --help' for the list of commands";
  if (words.empty()) return usage_message("expected a command", {}, list_hint);
  const auto first =
      std::find_if(words.begin(), words.end(), [](const auto& word) { return !word.starts_with('-'); });
  if (first == words.end()) {
    const auto options = option_names(app);
    const bool known = std::find(options.begin(), options.end(), words.front()) != options.end();
    if (known) return usage_message(error.what(), {}, list_hint);
    return usage_message("there is no option '" + words.front() + "' before a command",
                         did_you_mean(words.front(), options), list_hint);
  }
  const std::vector<std::string> names = command_names(app);
  if (std::find(names.begin(), names.end(), *first) == names.end()) {
    return usage_message("there is no command '" + *first + "'", did_you_mean(*first, names), list_hint);
  }
  const CLI::App* command = app.get_subcommand(*first);
  const std::string hint = "'tarmac " + *first + " --help' for how it is used";
  const std::vector<std::string> options = option_names(*command);
  for (auto word = first + 1; word != words.end() && *word != "--"; ++word) {
    const std::string name = word->substr(0, word->find('='));
    if (!name.starts_with("--") || std::find(options.begin(), options.end(), name) != options.end()) continue;
    return usage_message("there is no option '" + name + "'", did_you_mean(name, options), hint);
  }
  return usage_message(error.what(), {}, hint);
}

Status run_guarded(const Command& command, Run& run) {
  // What no layer below may let through: running out of memory, or a bug.
  try {
    return command(run);
  } catch (const std::bad_alloc&) {
    return make_error(ErrorCode::kResourceExhausted, "out of memory; use a smaller batch or fewer samples");
  } catch (const std::exception& exception) {
    return make_error(ErrorCode::kInternal,
                      std::string("unexpected: ") + exception.what() + "; please report this");
  }
}

}  // namespace

CLI::App& Commands::add(const std::string& name, const std::string& summary,
                        const std::vector<std::string>& examples, Command run) {
  CLI::App& command = *app_.add_subcommand(name, summary);
  std::string footer = "Examples:\n";
  for (const std::string& example : examples) footer += "  " + example + "\n";
  footer.pop_back();
  command.footer(footer);
  commands_[name] = std::move(run);
  return command;
}

void Commands::add_common_options() {
  for (CLI::App* command : app_.get_subcommands([](const CLI::App*) { return true; })) {
    command
        ->add_flag("--json", common_.json, "Print one JSON object on standard output and nothing else there")
        ->group("General");
    command->add_flag("-v,--verbose", common_.verbose, "Say more on standard error; twice: everything")
        ->group("General");
    command->add_flag("-q,--quiet", common_.quiet, "No progress bar, no warnings")->group("General");
    command->set_help_flag("-h,--help", "Print this help and exit")->group("General");
  }
}

int run_program(int argc, char** argv) {
  install_signal_handlers();
  CLI::App app(
      "Takes a trained driving model to the road: check, optimise, quantise, compile, run and verify it.",
      "tarmac");
  app.set_version_flag("--version", std::string("tarmac ") + version(), "Print the version and exit");
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.require_subcommand(1);
  app.get_formatter()->column_width(34);
  app.footer(
      "Run 'tarmac COMMAND --help' for a command's options and examples.\n"
      "Exit codes: 0 done, 1 our bug, 2 wrong usage, 3 unsupported, 4 bad input, 5 acceptance not met, 130 "
      "interrupted.");
  Commands commands(app);
  add_commands(commands);
  commands.add_common_options();

  const std::vector<std::string> words(argv + 1, argv + argc);
  const bool wants_json = std::find(words.begin(), words.end(), "--json") != words.end();
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help_or_version) {
    Output output("help", false);
    app.exit(help_or_version);
    return output.finish({});
  } catch (const CLI::ParseError& error) {
    Output output(words.empty() ? "" : words.front(), wants_json);
    return output.finish(make_error(ErrorCode::kUsage, describe_usage_error(app, error, words)));
  }

  const std::string name = app.get_subcommands().front()->get_name();
  const CommonArgs& common = commands.common();
  Output output(name, common.json);
  ProgressBar bar(!common.quiet && !common.json);
  install_log(common, bar);
  Run run{output, bar};
  const Status status = run_guarded(commands.find(name), run);
  bar.wipe();
  set_log_sink({});
  return output.finish(status);
}

}  // namespace tarmac::cli

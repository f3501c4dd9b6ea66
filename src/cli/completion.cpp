#include "cli/completion.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <vector>

#include "cli/args/target_args.h"
#include "passes/pass.h"

namespace tarmac::cli {
namespace {

enum class ValueKind : std::uint8_t { kNone, kFile, kFolder, kWords };

/// An option as the shells need it.
struct OptionInfo {
  std::vector<std::string> names;  ///< with their dashes; empty for a positional
  std::string description;
  ValueKind kind = ValueKind::kNone;
  std::vector<std::string> words;
};

/// "static|weight-only" names its values itself.
std::vector<std::string> alternatives(const std::string& type_name) {
  if (std::any_of(type_name.begin(), type_name.end(), [](unsigned char c) { return std::isupper(c) != 0; }))
    return {};
  std::vector<std::string> words(1);
  for (const char c : type_name) {
    if (c == '|') {
      words.emplace_back();
    } else {
      words.back() += c;
    }
  }
  return words;
}

OptionInfo describe(const CLI::Option& option) {
  OptionInfo info;
  for (const std::string& name : option.get_snames()) info.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) info.names.push_back("--" + name);
  info.description = option.get_description();
  if (option.get_items_expected_max() == 0) return info;
  const std::string type = option.get_type_name();
  info.kind = ValueKind::kFile;
  if (type.find("TARGET") != std::string::npos) {
    info.words = target_names();
    if (type.starts_with("auto")) info.words.emplace_back("auto");
  } else if (type.starts_with("PASS")) {
    for (const Pass& pass : all_passes()) info.words.emplace_back(pass.name);
  } else if (!type.empty()) {
    info.words = alternatives(type);
  }
  if (!info.words.empty()) info.kind = ValueKind::kWords;
  if (type == "DIR") info.kind = ValueKind::kFolder;
  return info;
}

struct CommandInfo {
  std::string name;
  std::string description;
  std::vector<OptionInfo> options;
  std::vector<OptionInfo> positionals;
};

CommandInfo describe(const CLI::App& app) {
  CommandInfo command{app.get_name(), app.get_description(), {}, {}};
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;  // hidden: for this program's own use
    OptionInfo info = describe(*option);
    (info.names.empty() ? command.positionals : command.options).push_back(std::move(info));
  }
  return command;
}

std::vector<std::string> option_names(const CommandInfo& command) {
  std::vector<std::string> names;
  for (const OptionInfo& option : command.options)
    names.insert(names.end(), option.names.begin(), option.names.end());
  return names;
}

std::string bash_reply(const OptionInfo& option) {
  if (option.kind == ValueKind::kFolder) return R"(mapfile -t COMPREPLY < <(compgen -d -- "$current"))";
  if (option.kind == ValueKind::kFile) return R"(mapfile -t COMPREPLY < <(compgen -f -- "$current"))";
  return fmt::format(R"(mapfile -t COMPREPLY < <(compgen -W "{}" -- "$current"))",
                     fmt::join(option.words, " "));
}

std::string bash_script(const CommandInfo& program, const std::vector<CommandInfo>& commands) {
  std::vector<std::string> names = option_names(program);
  for (const CommandInfo& command : commands) names.push_back(command.name);
  std::string script = fmt::format(R"(# bash completion for tarmac: source <(tarmac completion bash)
_tarmac() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD - 1]}}" command="" word
  [[ "$current" == "=" ]] && current=""
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    [[ "$word" != -* ]] && {{ command="$word"; break; }}
  done
  COMPREPLY=()
  case "$command" in
    "")
      mapfile -t COMPREPLY < <(compgen -W "{}" -- "$current")
      ;;
)",
                                   fmt::join(names, " "));
  for (const CommandInfo& command : commands) {
    script += fmt::format("    {})\n      case \"$previous\" in\n", command.name);
    for (const OptionInfo& option : command.options) {
      if (option.kind == ValueKind::kNone) continue;
      script +=
          fmt::format("        {}) {}; return ;;\n", fmt::join(option.names, " | "), bash_reply(option));
    }
    script += fmt::format(R"(      esac
      if [[ "$current" == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "{}" -- "$current")
)",
                          fmt::join(option_names(command), " "));
    if (!command.positionals.empty())
      script += "      else\n        " + bash_reply(command.positionals.front()) + "\n";
    script += "      fi\n      ;;\n";
  }
  return script + "  esac\n}\ncomplete -o filenames -F _tarmac tarmac\n";
}

/// Text inside single quotes.
std::string quoted(const std::string& text) {
  std::string result;
  for (const char c : text) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return "'" + result + "'";
}

/// Text inside the brackets of a zsh _arguments specification.
std::string zsh_text(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') result += '\\';
    result += c;
  }
  return result;
}

std::string zsh_action(const OptionInfo& option) {
  if (option.kind == ValueKind::kNone) return "";
  if (option.kind == ValueKind::kWords) return fmt::format(":value:({})", fmt::join(option.words, " "));
  return option.kind == ValueKind::kFolder ? ":folder:_files -/" : ":file:_files";
}

std::string zsh_script(const std::vector<CommandInfo>& commands) {
  std::string script =
      "#compdef tarmac\n# zsh completion for tarmac: source <(tarmac completion zsh)\n_tarmac() {\n  local "
      "-a commands=(\n";
  for (const CommandInfo& command : commands) {
    script += "    " + quoted(command.name + ":" + zsh_text(command.description)) + "\n";
  }
  script +=
      "  )\n  if (( CURRENT == 2 )); then\n    _describe command commands\n    return\n  fi\n"
      "  local command=${words[2]}\n  words=(\"${(@)words[2,-1]}\")\n  (( CURRENT-- ))\n  case $command in\n";
  for (const CommandInfo& command : commands) {
    script += fmt::format("    {})\n      _arguments -s", command.name);
    for (const OptionInfo& option : command.options) {
      for (const std::string& name : option.names) {
        script += " \\\n        " +
                  quoted("*" + name + "[" + zsh_text(option.description) + "]" + zsh_action(option));
      }
    }
    for (const OptionInfo& positional : command.positionals)
      script += " \\\n        " + quoted("1" + zsh_action(positional));
    script += "\n      ;;\n";
  }
  return script + "  esac\n}\n(( $+functions[compdef] )) && compdef _tarmac tarmac\n";
}

std::string fish_script(const std::vector<CommandInfo>& commands) {
  std::string script = "# fish completion for tarmac: tarmac completion fish | source\n";
  for (const CommandInfo& command : commands) {
    script += fmt::format("complete -c tarmac -n __fish_use_subcommand -f -a {} -d {}\n", command.name,
                          quoted(command.description));
  }
  for (const CommandInfo& command : commands) {
    const std::string condition = "complete -c tarmac -n '__fish_seen_subcommand_from " + command.name + "'";
    for (const OptionInfo& option : command.options) {
      script += condition;
      for (const std::string& name : option.names) {
        script += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      if (option.kind == ValueKind::kFile) script += " -r -F";
      if (option.kind == ValueKind::kFolder) script += " -x -a '(__fish_complete_directories)'";
      if (option.kind == ValueKind::kWords)
        script += fmt::format(" -x -a '{}'", fmt::join(option.words, " "));
      script += " -d " + quoted(option.description) + "\n";
    }
    for (const OptionInfo& positional : command.positionals) {
      if (positional.kind == ValueKind::kWords)
        script += fmt::format("{} -f -a '{}'\n", condition, fmt::join(positional.words, " "));
    }
  }
  return script;
}

}  // namespace

Result<std::string> completion_script(const CLI::App& app, const std::string& shell) {
  std::vector<CommandInfo> commands;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    commands.push_back(describe(*command));
  if (shell == "bash") return bash_script(describe(app), commands);
  if (shell == "zsh") return zsh_script(commands);
  if (shell == "fish") return fish_script(commands);
  return make_error(ErrorCode::kUsage, "expected bash, zsh or fish, found '" + shell + "'");
}

}  // namespace tarmac::cli

#include "cli/completion.h"

#include <memory>

#include "cli/commands/commands.h"

namespace tarmac::cli {

void add_completion(Commands& commands) {
  const auto shell = std::make_shared<std::string>();
  CLI::App& command =
      commands.add("completion", "Print a script that makes a shell complete tarmac's commands and options",
                   {"source <(tarmac completion bash)", "tarmac completion zsh > ~/.zfunc/_tarmac",
                    "tarmac completion fish > ~/.config/fish/completions/tarmac.fish"},
                   [shell, &commands](Run& run) -> Status {
                     TARMAC_TRY(const std::string script, completion_script(commands.app(), *shell));
                     run.output.json()["script"] = script;
                     if (!run.output.is_json()) run.output.raw(script);
                     return {};
                   });
  command.add_option("shell", *shell, "The shell")->type_name("bash|zsh|fish")->required();
}

}  // namespace tarmac::cli

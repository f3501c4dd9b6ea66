#include "cli/args/target_args.h"

#include "cli/suggest.h"

namespace tarmac::cli {

CLI::Option* TargetArgs::add(CLI::App& command, const std::string& type_name,
                             const std::string& description) {
  command
      .add_option("--providers", providers,
                  "ONNX Runtime's execution providers, most wanted first (default: CPU)")
      ->type_name("NAME[,NAME]")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->group("Target");
  command.add_flag("--allow-fallback", allow_fallback, "Let nodes run on a later provider than the first")
      ->group("Target");
  command.add_option("--cores", cores, "Threads that a model may use (default: all)")
      ->type_name("N")
      ->check(CLI::Range(1, 1024))
      ->group("Target");
  return command.add_option("--target", names, description)
      ->type_name(type_name)
      ->delimiter(',')
      ->allow_extra_args(false)
      ->group("Target");
}

CLI::Option* TargetArgs::add_one(CLI::App& command) {
  return add(command, "TARGET", "Engine to run on (default: a plan's own, else openvino)")
      ->check([](const std::string& text) {
        return text.find(',') == std::string::npos ? "" : "expected one target, found '" + text + "'";
      })
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

CLI::Option* TargetArgs::add_several(CLI::App& command) {
  return add(command, "TARGET[,TARGET]", "Engines, separated by commas");
}

CompileOptions TargetArgs::compile_options() const {
  return {.cores = cores, .providers = providers, .allow_fallback = allow_fallback};
}

std::vector<std::string> target_names() {
  std::vector<std::string> names;
  for (const Target* target : all_targets()) names.push_back(target->name());
  return names;
}

Result<Target*> named_target(const std::string& name) {
  auto target = find_target(name);
  if (target) return *target;
  Error error = std::move(target).error();
  error.message += did_you_mean(name, target_names());
  return error;
}

Result<Target*> open_target(const std::string& name) {
  TARMAC_TRY(Target* const target, named_target(name));
  TARMAC_CHECK_OK(target->available());
  return target;
}

}  // namespace tarmac::cli

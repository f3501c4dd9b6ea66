#include "cli/args/data_args.h"

namespace tarmac::cli {

void DataArgs::add(CLI::App& command, const std::string& data_description) {
  command.add_option("--data", data, data_description)->type_name("DIR|FILE.npz")->group("Data");
  command
      .add_option("--contract", contract,
                  "deploy.yaml: how pictures become inputs, and which data to take without --data")
      ->type_name("FILE")
      ->group("Data");
  const std::string all = default_samples == 0 ? "all" : std::to_string(default_samples) + " at most";
  command
      .add_option("--samples", samples,
                  "Take this many samples, of each class its share (default: what the contract says, else " +
                      all + ")")
      ->type_name("N")
      ->check(CLI::PositiveNumber)
      ->group("Data");
  command
      .add_option("--seed", seed, "Which samples --samples takes (default: what the contract says, else 0)")
      ->type_name("N")
      ->group("Data");
}

}  // namespace tarmac::cli

#include "cli/args/max_drop_args.h"

#include "cli/args/fraction.h"

namespace tarmac::cli {

void MaxDropArgs::add(CLI::App& command) {
  command
      .add_option(
          "--max-drop", max_drop,
          "Points of the contract's metric that INT8 may cost at most, measured on its evaluation data "
          "(without one: agreement with the float model, of the worst sample); what costs more stays "
          "in float, chosen by measuring on --target")
      ->type_name("2%")
      ->group("Mixed precision");
  command
      .add_option("--top-k", top_k,
                  "Groups of nodes whose cost in points --max-drop measures, the noisiest (default: 16)")
      ->type_name("K")
      ->check(CLI::PositiveNumber)
      ->group("Mixed precision");
}

Result<double> MaxDropArgs::parsed() const {
  TARMAC_TRY(const double share, parse_fraction("--max-drop", max_drop));
  if (share < 1) return share;
  return make_error(ErrorCode::kUsage, "--max-drop " + max_drop + ": expected less than 100%");
}

}  // namespace tarmac::cli

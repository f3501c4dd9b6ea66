#include "cli/args/signature_args.h"

namespace tarmac::cli {

CLI::Option* SignatureArgs::add(CLI::App& command) {
  return command
      .add_option("--require-signature", required_signer,
                  "Refuse what is no plan signed by the holder of this Ed25519 key (PEM, public)")
      ->type_name("PUBKEY");
}

}  // namespace tarmac::cli

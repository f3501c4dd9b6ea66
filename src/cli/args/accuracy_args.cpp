#include "cli/args/accuracy_args.h"

namespace tarmac::cli {

void AccuracyArgs::add(CLI::App& command) {
  command
      .add_option(
          "--activations", activations,
          "asymmetric: uint8 with a zero point; symmetric: uint8 with zero point 0 or 128; signed: int8, "
          "zero point 0 and biases in float, as TensorRT wants it (default: asymmetric)")
      ->type_name("asymmetric|symmetric|signed")
      ->check([](const std::string& word) {
        const bool known = word == "asymmetric" || word == "symmetric" || word == "signed";
        return known ? "" : "expected asymmetric, symmetric or signed, found '" + word + "'";
      })
      ->group("Accuracy");
  command
      .add_flag("--no-equalize", no_equalize,
                "Leave channels as they are; by default they are scaled, where that changes nothing in "
                "float, so that "
                "one scale a tensor serves them all")
      ->group("Accuracy");
  command
      .add_flag("--no-bias-correction", no_bias_correction,
                "Leave biases as they are; by default they take the mean of what rounding does to results")
      ->group("Accuracy");
  command
      .add_flag("--adaptive-rounding", adaptive_rounding,
                "Round weights by what it does to results on the data; takes longer")
      ->group("Accuracy");
  command
      .add_flag("--allow-slower", allow_slower,
                "Write the model even where --target runs it slower than the float model, which is refused "
                "without this; with --mode dynamic: convolutions too")
      ->group("Accuracy");
}

ActivationForm AccuracyArgs::form() const {
  if (activations == "signed") return ActivationForm::kSigned;
  return activations == "symmetric" ? ActivationForm::kSymmetric : ActivationForm::kAsymmetric;
}

AccuracyOptions AccuracyArgs::options(const CompileOptions& compile) const {
  return {.equalize = !no_equalize,
          .correct_bias = !no_bias_correction,
          .adapt_rounding = adaptive_rounding,
          .compile = compile};
}

}  // namespace tarmac::cli

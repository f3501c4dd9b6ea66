// One function a section of deploy.yaml. Each fills its part of the contract; sections read earlier may be
// used.
#pragma once

#include "contract/field.h"
#include "tarmac/contract.h"

namespace tarmac {

/// inputs: names, shapes, dtypes, layouts and preprocessing.
Result<std::vector<InputSpec>> parse_inputs(const Field& field);
/// inputs.NAME.preprocess; checks the order of the steps and the size they end with against the input's
/// shape.
Status parse_preprocess(const Field& field, InputSpec& input);

Result<std::vector<std::string>> parse_labels(const Field& field);

/// data: calibration and evaluation. Needs inputs and labels.
Status parse_data(const Field& field, Contract& contract);
/// sequence: scenes and state. Needs inputs and data.
Result<SequenceSpec> parse_sequence(const Field& field, const Contract& contract);
Result<EvaluationSpec> parse_evaluation(const Field& field, const Contract& contract);
Result<ReferenceSpec> parse_reference(const Field& field);

Result<std::vector<TargetSpec>> parse_targets(const Field& field);
/// Needs the calibration data.
Result<PrecisionSpec> parse_precision(const Field& field, const Contract& contract);
/// Needs inputs.
Result<std::map<std::string, ProfileSpec>> parse_profiles(const Field& field, const Contract& contract);
/// Needs evaluation and precision.
Result<AcceptanceSpec> parse_acceptance(const Field& field, const Contract& contract);

}  // namespace tarmac

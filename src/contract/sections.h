// One function a section of deploy.yaml. Each fills its part of the contract; sections read earlier may be
// used.
#pragma once

#include "contract/field.h"
#include "tarmac/contract.h"

namespace tarmac {

/// model: the path of an ONNX file, or a map that says what to export it from. Needs inputs.
Status parse_model(const Field& field, Contract& contract);
/// Where `model` gives no sizes of dynamic axes for made-up inputs: the profile's smallest and usual ones.
void take_profile_sizes(Contract& contract);

/// [batch, 3, 64, 64]: sizes and symbols.
Result<std::vector<InputDim>> parse_input_shape(const Field& field);
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
/// A detector's outputs: detections, or evaluation.outputs. `min_score` where the file says none. Needs
/// inputs.
Result<DetectionOutputs> parse_detections(const Field& field, const Contract& contract, double min_score);
/// Needs the data and detections.
Result<EvaluationSpec> parse_evaluation(const Field& field, const Contract& contract);
/// robustness. Needs inputs, data, sequence and evaluation.
Result<std::vector<FaultSpec>> parse_robustness(const Field& field, const Contract& contract);
Result<ReferenceSpec> parse_reference(const Field& field);

Result<std::vector<TargetSpec>> parse_targets(const Field& field);
/// Needs the calibration data.
Result<PrecisionSpec> parse_precision(const Field& field, const Contract& contract);
/// Needs inputs.
Result<std::map<std::string, ProfileSpec>> parse_profiles(const Field& field, const Contract& contract);
/// Needs evaluation and precision.
Result<AcceptanceSpec> parse_acceptance(const Field& field, const Contract& contract);

}  // namespace tarmac

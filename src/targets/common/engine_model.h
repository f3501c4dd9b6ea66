// What an engine is given: the model as bytes, with a name on every node so that times and errors can be
// traced back.
#pragma once

#include <map>
#include <string>

#include "targets/common/driving_operator.h"

namespace tarmac {

/// Node::label() of every node, nested graphs and function bodies included, with its operator.
using NodeLabels = std::map<std::string, std::string, std::less<>>;

/// How a node is found from the values around it, for engines that name kernels after tensors.
struct NodeOrigins {
  std::map<std::string, std::string, std::less<>> producer;  ///< value → label of the node that makes it
  std::map<std::string, std::string, std::less<>>
      feeder;  ///< label → label of the node that makes its first input
};

/// A driving operator as its node has it.
struct DrivingCall {
  DrivingOperatorPtr kernel;
  std::vector<DType> inputs;  ///< of the inputs that are there; kUndefined where inference does not tell
  std::vector<DType> outputs;
};

struct EngineModel {
  std::string bytes;  ///< serialised ModelProto
  /// Kept alive while the engine reads `bytes`, which refers to them; with kByName as long as it lives.
  std::vector<Tensor> weights;
  std::vector<std::string> weight_names;  ///< with kByName
  NodeLabels labels;
  NodeOrigins origins;
  /// Driving operators, in the order of their nodes.
  std::vector<DrivingCall> driving;
};

/// How an engine's binding finds the kernel of a driving operator.
enum class DrivingForm : std::uint8_t {
  kByOperator,  ///< op_type stays; the attribute kPresentInputs says which inputs are there
  kByNode,      ///< op_type is driving_name(op_type, index in EngineModel::driving); types of all values are
                ///< written
};
inline constexpr const char* kPresentInputs = "tarmac_present_inputs";
std::string driving_name(std::string_view op_type, std::size_t index);

/// Where an engine finds large weights.
enum class WeightForm : std::uint8_t {
  kInside,     ///< copied into EngineModel::bytes
  kByAddress,  ///< where they are (graph/memory_model.h); models of 2 GiB and more need it, or the next
  kByName,     ///< where they are, handed over apart from the model; numbers of 8 bits and more
};

/// Errors: kResourceExhausted for models of 2 GiB and more without the weights that lie elsewhere; as
/// prepare_driving_operators().
Result<EngineModel> make_engine_model(const Model& model, DrivingForm form,
                                      WeightForm weights = WeightForm::kInside);

}  // namespace tarmac

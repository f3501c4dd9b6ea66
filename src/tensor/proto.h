// Tensors from and to ONNX TensorProto messages. The only header of this folder that mentions onnx.
#pragma once

#include "tarmac/tensor.h"

namespace onnx {
class TensorProto;
}

namespace tarmac {

/// Copies the values out of whichever field holds them: raw_data, or the typed field that onnx.proto names
/// for the data type. Errors: kInvalidModel (count does not fit the dims, value does not fit the type, two
/// fields filled, unknown type), kUnsupported (external data, segments). Messages carry the proto's name as
/// Error::node.
Result<Tensor> tensor_from_proto(const onnx::TensorProto& proto);

/// Sets dims, data_type and values (raw_data, or string_data for strings), clearing all else but name and
/// doc_string.
void tensor_to_proto(const Tensor& tensor, onnx::TensorProto& proto);

}  // namespace tarmac

#include "fuzz/load_fuzz.h"

#include <cstdio>
#include <cstdlib>

#include "graph/model_io.h"

namespace {

void promise(bool kept, const std::string& what) {
  if (kept) return;
  std::fprintf(stderr, "broken promise: %s\n", what.c_str());
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tarmac;
  auto model = parse_model(std::as_bytes(std::span(data, size)), nullptr);
  if (!model) {
    promise(!model.error().message.empty(), "an error says what is wrong");
    promise(model.error().code == ErrorCode::kInvalidModel || model.error().code == ErrorCode::kUnsupported,
            "the error blames the model: " + model.error().str());
    return 0;
  }
  // What was let in must serve everything that later code does with it.
  const Status verified = verify_model(*model);
  promise(verified.ok(), "a loaded model is valid: " + (verified.ok() ? "" : verified.error().str()));
  promise(model->graph->sort(), "a loaded graph has no cycle");
  promise(!model_to_text(*model).empty(), "it can be printed");
  promise(structural_difference(*model, clone_model(*model), {.names = true}).empty(), "a clone is the same");
  const auto bytes = serialize_model(*model);
  promise(bytes.ok(), "it can be written");
  const auto again = parse_model(std::as_bytes(std::span(*bytes)), nullptr);
  promise(again.ok(), "what was written can be read: " + (again.ok() ? "" : again.error().str()));
  const std::string difference = structural_difference(*model, *again, {.names = true});
  promise(difference.empty(), "it is the same model: " + difference);
  return 0;
}

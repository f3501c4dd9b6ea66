// Engines' messages become short errors that name the ONNX node.
#include "targets/common/guard.h"

#include <stdexcept>

#include "support/expect.h"

namespace tarmac {
namespace {

TEST(Guard, KeepsOnlyTheTellingLinesOfOpenvino) {
  const Error error =
      engine_error(ErrorCode::kUnsupported, "OpenVINO cannot compile the model",
                   "Exception from src/inference/src/cpp/core.cpp:93:\n"
                   "Check 'false' failed at src/frontends/report.cpp:151:\n"
                   "FrontEnd API failed with OpConversionFailure:\n"
                   "Model wasn't fully converted.\nSummary:\n"
                   "-- Conversion failed for '<Node(Mod): z>'\n"
                   "To facilitate the conversion of unsupported operations, refer to pages\n");
  EXPECT_EQ(error.message,
            "OpenVINO cannot compile the model: Model wasn't fully converted. Conversion failed for "
            "'<Node(Mod): z>'");
  EXPECT_EQ(error.node, "z");
}

TEST(Guard, FindsTheNodeInMessagesOfOnnxRuntime) {
  EXPECT_EQ(engine_error(ErrorCode::kUnsupported, "x",
                         "Could not find an implementation for Add(6) node with name 'sum'")
                .node,
            "sum");
  EXPECT_EQ(engine_error(ErrorCode::kInternal, "x",
                         "while running Conv node. Name:'c1' Status Message: /onnxruntime_src/a.cc:52 bad")
                .message,
            "x: while running Conv node. Name:'c1' Status Message: bad");
}

TEST(Guard, TurnsEveryKindOfExceptionIntoAnError) {
  const auto run = [](auto thrown) {
    return guarded(ErrorCode::kInternal, "in a run", [&]() -> Status { throw thrown; });
  };
  test::expect_error(run(std::runtime_error("no luck")), ErrorCode::kInternal, "in a run: no luck");
  test::expect_error(run(std::bad_alloc()), ErrorCode::kResourceExhausted, "memory");
  test::expect_error(run(42), ErrorCode::kInternal, "without saying why");
  test::expect_ok(guarded(ErrorCode::kInternal, "in a run", []() -> Status { return {}; }));
}

TEST(Guard, SurvivesLongAndEmptyMessages) {
  EXPECT_LT(engine_error(ErrorCode::kInternal, "x", std::string(1 << 20, 'a')).message.size(), 600U);
  EXPECT_EQ(engine_error(ErrorCode::kInternal, "x", "").message, "x: the engine failed without saying why");
  EXPECT_EQ(engine_error(ErrorCode::kInternal, "x", "Check 'a").message, "x: Check 'a");
}

}  // namespace
}  // namespace tarmac

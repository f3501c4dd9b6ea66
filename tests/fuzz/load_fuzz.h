// The target of fuzzing: loads bytes as a model and uses what came out. Anything but a crash is fine.
#pragma once

#include <cstddef>
#include <cstdint>

/// libFuzzer's entry point; link with -fsanitize=fuzzer where the compiler has it. Aborts on a broken
/// promise.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

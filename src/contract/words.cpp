#include "contract/words.h"

namespace tarmac {
namespace {

/// The words are string literals, so data() ends with a zero.
template <typename T, std::size_t N>
const char* word_of(const Choice<T> (&choices)[N], T value) {
  for (const Choice<T>& choice : choices) {
    if (choice.value == value) return choice.word.data();
  }
  return "none";
}

}  // namespace

const char* to_string(ModelFormat format) { return word_of(kModelFormatWords, format); }
const char* to_string(TorchExporter exporter) { return word_of(kTorchExporterWords, exporter); }
const char* to_string(Layout layout) { return word_of(kLayoutWords, layout); }
const char* to_string(ColorOrder color) { return word_of(kColorWords, color); }
const char* to_string(Interpolation interpolation) { return word_of(kInterpolationWords, interpolation); }
const char* to_string(ResizeMode mode) { return word_of(kResizeModeWords, mode); }
const char* to_string(PixelFormat format) { return word_of(kPixelFormatWords, format); }
const char* to_string(YuvMatrix matrix) { return word_of(kYuvMatrixWords, matrix); }
const char* to_string(YuvRange range) { return word_of(kYuvRangeWords, range); }
const char* to_string(LensModel model) { return word_of(kLensWords, model); }
const char* to_string(Geometry geometry) { return word_of(kGeometryWords, geometry); }
const char* to_string(EvaluationMetric metric) { return word_of(kMetricWords, metric); }
const char* to_string(AgreementKind kind) { return word_of(kAgreementWords, kind); }
const char* to_string(DetectionDecoder decoder) { return word_of(kDecoderWords, decoder); }
const char* to_string(PrecisionMode mode) { return word_of(kPrecisionWords, mode); }
const char* to_string(FaultKind kind) { return word_of(kFaultWords, kind); }
const char* to_precision_word(DType type) { return word_of(kFloatWords, type); }
const char* to_string(CalibrationMethod method) { return word_of(kMethodWords, method); }

}  // namespace tarmac

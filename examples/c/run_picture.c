/* usage: run_picture PLAN INPUT PICTURE: one picture, then a gray frame from memory, through a plan. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <tarmac/tarmac_c.h>

static int fail(const char* doing) {
  fprintf(stderr, "%s: %s\n", doing, tarmac_last_error());
  return 1;
}

static int print_tensors(const tarmac_session* session) {
  tarmac_tensor_info info;
  size_t count = 0, i;
  if (tarmac_input_count(session, &count) != TARMAC_OK) return fail("inputs");
  for (i = 0; i < count; ++i) {
    if (tarmac_input_info(session, i, &info) != TARMAC_OK) return fail("inputs");
    printf("input  %s %s\n", info.name, info.type);
  }
  if (tarmac_output_count(session, &count) != TARMAC_OK) return fail("outputs");
  for (i = 0; i < count; ++i) {
    if (tarmac_output_info(session, i, &info) != TARMAC_OK) return fail("outputs");
    printf("output %s %s\n", info.name, info.type);
  }
  return 0;
}

/* The first values of every output of the latest run. */
static int print_results(tarmac_session* session, const char* title) {
  size_t count = 0, i, k;
  if (tarmac_output_count(session, &count) != TARMAC_OK) return fail("outputs");
  for (i = 0; i < count; ++i) {
    tarmac_tensor_info info;
    tarmac_tensor tensor;
    if (tarmac_output_info(session, i, &info) != TARMAC_OK) return fail("outputs");
    if (tarmac_output(session, info.name, &tensor) != TARMAC_OK) return fail(info.name);
    printf("%s: %s [", title, info.name);
    for (k = 0; k < tensor.rank; ++k) printf("%s%" PRId64, k == 0 ? "" : ", ", tensor.shape[k]);
    printf("]");
    if (tensor.dtype == TARMAC_FLOAT32) {
      const float* values = (const float*)tensor.data;
      for (k = 0; k < 4 && k < tensor.size_bytes / sizeof(float); ++k) printf(" %g", (double)values[k]);
    }
    printf("\n");
  }
  return 0;
}

static int run(tarmac_session* session, const char* input, const char* picture) {
  enum { kHeight = 120, kWidth = 160 };
  static unsigned char pixels[kHeight][kWidth][3];
  const int64_t second_ns = 1000000000;
  tarmac_frame frame;

  if (tarmac_set_input_picture(session, input, picture) != TARMAC_OK) return fail(picture);
  if (tarmac_run(session) != TARMAC_OK) return fail("run");
  if (print_results(session, "picture") != 0) return 1;

  memset(pixels, 128, sizeof(pixels));
  memset(&frame, 0, sizeof(frame));
  frame.format = TARMAC_BGR;
  frame.height = kHeight;
  frame.width = kWidth;
  frame.data = pixels;
  frame.row_bytes = sizeof(pixels[0]);
  if (tarmac_set_input_frame(session, input, &frame) != TARMAC_OK) return fail("frame");
  /* A result that is late is of no use to a vehicle. */
  if (tarmac_run_within(session, 10 * second_ns) != TARMAC_OK) return fail("run");
  return print_results(session, "frame");
}

int main(int argc, char** argv) {
  tarmac_session* session = NULL;
  int failed;
  if (argc != 4) {
    fprintf(stderr, "usage: %s PLAN INPUT PICTURE\n", argv[0]);
    return 2;
  }
  printf("tarmac %s\n", tarmac_version());
  if (tarmac_open(argv[1], NULL, &session) != TARMAC_OK) return fail(argv[1]);
  failed = print_tensors(session) != 0 || run(session, argv[2], argv[3]) != 0;
  tarmac_free_session(session);
  return failed;
}

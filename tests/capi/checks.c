#define _POSIX_C_SOURCE 200809L
#include "capi/checks.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tarmac/tarmac_c.h>

static int failures;

#define EXPECT(condition)                                                                                  \
  do {                                                                                                     \
    if (!(condition)) {                                                                                    \
      printf("%s:%d: expected %s; last error: %s\n", __FILE__, __LINE__, #condition, tarmac_last_error()); \
      ++failures;                                                                                          \
    }                                                                                                      \
  } while (0)
#define EXPECT_STATUS(call, expected) EXPECT((call) == (expected))
#define EXPECT_OK(call) EXPECT_STATUS(call, TARMAC_OK)

static const float kInput[8] = {1, 2, 3, 4, -1, 0, 0, 1};
static const int64_t kInputShape[2] = {2, 4};
static const int64_t kOutputShape[2] = {2, 2};

static tarmac_tensor floats(const int64_t* shape, size_t rank, const float* data) {
  tarmac_tensor tensor;
  size_t count = 1, i;
  for (i = 0; i < rank; ++i) count *= (size_t)shape[i];
  tensor.dtype = TARMAC_FLOAT32;
  tensor.rank = rank;
  tensor.shape = shape;
  tensor.data = (void*)data;
  tensor.size_bytes = count * sizeof(float);
  return tensor;
}

static tarmac_tensor input_tensor(void) { return floats(kInputShape, 2, kInput); }

static int is_result(const float* y) { return y[0] == 7.5F && y[1] == 9.5F && y[2] == -0.5F && y[3] == 1.5F; }

static tarmac_session* open_session(const char* path, const tarmac_open_options* options) {
  tarmac_session* session = NULL;
  EXPECT_OK(tarmac_open(path, options, &session));
  return session;
}

int check_sessions(const char* model) {
  tarmac_open_options options = TARMAC_OPEN_OPTIONS_INIT;
  tarmac_session *session, *clone = NULL;
  tarmac_tensor_info info;
  tarmac_tensor x = input_tensor(), y;
  const char* version = NULL;
  size_t count = 0;
  float own[4] = {0, 0, 0, 0};
  tarmac_tensor mine = floats(kOutputShape, 2, own);
  failures = 0;
  options.target = "onnxruntime";
  options.cores = 1;
  session = open_session(model, &options);

  EXPECT_OK(tarmac_input_count(session, &count));
  EXPECT(count == 1);
  EXPECT_OK(tarmac_input_info(session, 0, &info));
  EXPECT(strcmp(info.name, "x") == 0 && info.dtype == TARMAC_FLOAT32 && info.rank == 2);
  EXPECT(info.shape[0] == -1 && info.shape[1] == 4);
  EXPECT(strcmp(info.type, "float32[batch, 4]") == 0);
  EXPECT_OK(tarmac_output_count(session, &count));
  EXPECT(count == 1);
  EXPECT_OK(tarmac_output_info(session, 0, &info));
  EXPECT(strcmp(info.name, "y") == 0);
  EXPECT_OK(tarmac_engine_version(session, &version));
  EXPECT(strstr(version, "ONNX Runtime") != NULL);
  EXPECT(strlen(tarmac_version()) >= 5);

  EXPECT_STATUS(tarmac_run(session), TARMAC_INVALID_INPUT); /* nothing is bound */
  EXPECT_OK(tarmac_set_input(session, "x", &x));
  EXPECT_OK(tarmac_run(session));
  EXPECT_OK(tarmac_output(session, "y", &y));
  EXPECT(y.dtype == TARMAC_FLOAT32 && y.rank == 2 && y.shape[0] == 2 && y.shape[1] == 2 &&
         y.size_bytes == 16);
  EXPECT(is_result((const float*)y.data));
  EXPECT_OK(tarmac_reset_scene(session));

  EXPECT_OK(tarmac_set_output(session, "y", &mine));
  EXPECT_OK(tarmac_set_input(session, "x", &x)); /* the same memory again */
  EXPECT_OK(tarmac_run_within(session, INT64_C(60000000000)));
  EXPECT(is_result(own));
  EXPECT_STATUS(tarmac_run_within(session, 0), TARMAC_DEADLINE);

  EXPECT_OK(tarmac_clone_context(session, &clone));
  EXPECT_OK(tarmac_free_session(session)); /* the clone keeps the model */
  EXPECT_STATUS(tarmac_run(clone), TARMAC_INVALID_INPUT);
  EXPECT_OK(tarmac_set_input(clone, "x", &x));
  EXPECT_OK(tarmac_run(clone));
  EXPECT_OK(tarmac_output(clone, "y", &y));
  EXPECT(is_result((const float*)y.data) && y.data != own);
  EXPECT_OK(tarmac_free_session(clone));
  EXPECT_OK(tarmac_free_session(NULL));
  return failures;
}

typedef struct waiter {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  int calls;
  int runs_left;
  tarmac_session* session;
  tarmac_code status;
  char error[256];
  float values[4];
} waiter;

static waiter new_waiter(void) {
  waiter made;
  memset(&made, 0, sizeof(made));
  pthread_mutex_init(&made.mutex, NULL);
  pthread_cond_init(&made.changed, NULL);
  return made;
}

static void note(waiter* to, tarmac_code status, const char* error) {
  pthread_mutex_lock(&to->mutex);
  to->status = status;
  snprintf(to->error, sizeof(to->error), "%s", error);
  ++to->calls;
  pthread_cond_signal(&to->changed);
  pthread_mutex_unlock(&to->mutex);
}

static void wait_for(waiter* of, int calls) {
  pthread_mutex_lock(&of->mutex);
  while (of->calls < calls) pthread_cond_wait(&of->changed, &of->mutex);
  pthread_mutex_unlock(&of->mutex);
}

static void run_again(void* user, tarmac_code status, const char* error) {
  waiter* const to = (waiter*)user;
  if (status == TARMAC_OK && --to->runs_left > 0)
    status = tarmac_run_async(to->session, -1, run_again, to);
  else
    to->runs_left = 0;
  if (to->runs_left == 0 || status != TARMAC_OK) note(to, status, error);
}

int check_asynchronous_runs(const char* model) {
  waiter done = new_waiter();
  tarmac_tensor x = input_tensor(), y;
  failures = 0;
  done.session = open_session(model, NULL);
  EXPECT_OK(tarmac_set_input(done.session, "x", &x));
  done.runs_left = 100;
  EXPECT_OK(tarmac_run_async(done.session, -1, run_again, &done));
  wait_for(&done, 1);
  EXPECT(done.status == TARMAC_OK && done.runs_left == 0 && done.error[0] == '\0');
  /* The callback's end and the run's end are a moment apart. */
  while (tarmac_output(done.session, "y", &y) == TARMAC_USAGE) {
  }
  EXPECT(is_result((const float*)y.data));
  done.runs_left = 1;
  EXPECT_OK(tarmac_run_async(done.session, 0, run_again, &done));
  wait_for(&done, 2);
  EXPECT(done.status == TARMAC_DEADLINE && done.error[0] != '\0');
  EXPECT_STATUS(tarmac_run_async(done.session, -1, NULL, NULL), TARMAC_USAGE);
  EXPECT_OK(tarmac_free_session(done.session));
  return failures;
}

static void take_item(void* user, tarmac_code status, const char* error, const tarmac_outputs* outputs) {
  waiter* const to = (waiter*)user;
  tarmac_tensor y;
  if (status == TARMAC_OK) {
    EXPECT_STATUS(tarmac_outputs_get(outputs, "z", &y), TARMAC_NOT_FOUND);
    EXPECT_OK(tarmac_outputs_get(outputs, "y", &y));
    EXPECT(y.rank == 2 && y.shape[0] == 1 && y.size_bytes == 8);
    memcpy(to->values, y.data, 8);
  } else {
    EXPECT(outputs == NULL);
  }
  note(to, status, error);
}

int check_batches(const char* model) {
  enum { kItems = 20 };
  static const int64_t shape[2] = {1, 4};
  const char* const names[1] = {"x"};
  tarmac_batcher_options options = TARMAC_BATCHER_OPTIONS_INIT;
  tarmac_batcher* batcher = NULL;
  float inputs[kItems][4];
  waiter done[kItems];
  tarmac_session* session;
  int i;
  failures = 0;
  session = open_session(model, NULL);
  options.max_batch = 8;
  options.contexts = 2;
  EXPECT_OK(tarmac_create_batcher(session, &options, &batcher));
  EXPECT_OK(tarmac_free_session(session));
  for (i = 0; i < kItems; ++i) {
    tarmac_tensor x = floats(shape, 2, inputs[i]);
    done[i] = new_waiter();
    inputs[i][0] = (float)i;
    inputs[i][1] = inputs[i][2] = inputs[i][3] = 0;
    EXPECT_OK(tarmac_submit(batcher, names, &x, 1, -1, take_item, &done[i]));
  }
  for (i = 0; i < kItems; ++i) {
    wait_for(&done[i], 1);
    EXPECT(done[i].status == TARMAC_OK);
    EXPECT(done[i].values[0] == (float)i + 0.5F && done[i].values[1] == -0.5F);
  }
  {
    static const int64_t two[2] = {2, 4};
    tarmac_tensor x = floats(two, 2, inputs[0]);
    waiter late = new_waiter();
    EXPECT_OK(tarmac_submit(batcher, names, &x, 1, -1, take_item, &late)); /* told to the item */
    wait_for(&late, 1);
    EXPECT(late.status == TARMAC_INVALID_INPUT && late.error[0] != '\0');
    EXPECT_STATUS(tarmac_submit(batcher, NULL, &x, 1, -1, take_item, &late), TARMAC_USAGE);
    EXPECT_STATUS(tarmac_submit(batcher, names, NULL, 1, -1, take_item, &late), TARMAC_USAGE);
    EXPECT_STATUS(tarmac_submit(batcher, names, &x, 1, -1, NULL, &late), TARMAC_USAGE);
    EXPECT_STATUS(tarmac_submit(NULL, names, &x, 1, -1, take_item, &late), TARMAC_USAGE);
    EXPECT_STATUS(tarmac_run((tarmac_session*)batcher), TARMAC_USAGE); /* another kind of handle */
  }
  EXPECT_OK(tarmac_free_batcher(batcher));
  EXPECT_STATUS(tarmac_free_batcher(batcher), TARMAC_USAGE);
  EXPECT_OK(tarmac_free_batcher(NULL));
  options.size = 3;
  EXPECT_STATUS(tarmac_create_batcher(NULL, &options, &batcher), TARMAC_USAGE);
  return failures;
}

int check_errors(const char* model) {
  struct {
    tarmac_open_options known;
    int later_member;
  } newer;
  tarmac_open_options options = TARMAC_OPEN_OPTIONS_INIT;
  int no_session = 7;
  tarmac_session *session, *none = NULL, *freed;
  tarmac_tensor x = input_tensor(), y;
  tarmac_tensor_info info;
  size_t count = 0;
  static const int64_t negative[2] = {-1, 4};
  failures = 0;

  EXPECT_STATUS(tarmac_open(NULL, NULL, &none), TARMAC_USAGE);
  EXPECT(strstr(tarmac_last_error(), "'path'") != NULL);
  EXPECT_STATUS(tarmac_open(model, NULL, NULL), TARMAC_USAGE);
  EXPECT_STATUS(tarmac_open("no/such.plan", NULL, &none), TARMAC_NOT_FOUND);
  EXPECT(strstr(tarmac_last_error(), "no/such.plan") != NULL);
  options.target = "no such engine";
  EXPECT_STATUS(tarmac_open(model, &options, &none), TARMAC_USAGE);
  options.target = NULL;
  options.provider_count = 1;
  EXPECT_STATUS(tarmac_open(model, &options, &none), TARMAC_USAGE);
  options.provider_count = 0;
  options.size = 0;
  EXPECT_STATUS(tarmac_open(model, &options, &none), TARMAC_USAGE);
  options.size = (size_t)-1;
  EXPECT_STATUS(tarmac_open(model, &options, &none), TARMAC_USAGE);
  EXPECT(none == NULL);
  memset(&newer, 0, sizeof(newer));
  newer.known.size = sizeof(newer);
  newer.later_member = 1;
  EXPECT_STATUS(tarmac_open(model, &newer.known, &none), TARMAC_USAGE);
  newer.later_member = 0;
  EXPECT_OK(tarmac_open(model, &newer.known, &session));

  EXPECT_STATUS(tarmac_run(NULL), TARMAC_USAGE);
  EXPECT_STATUS(tarmac_run((tarmac_session*)&no_session), TARMAC_USAGE);
  EXPECT_STATUS(tarmac_free_session((tarmac_session*)&no_session), TARMAC_USAGE);
  EXPECT_STATUS(tarmac_clone_context(session, NULL), TARMAC_USAGE);
  EXPECT_STATUS(tarmac_clone_context(NULL, &none), TARMAC_USAGE);
  EXPECT_STATUS(tarmac_input_count(session, NULL), TARMAC_USAGE);
  EXPECT_STATUS(tarmac_input_count(NULL, &count), TARMAC_USAGE);
  EXPECT_STATUS(tarmac_input_info(session, 1, &info), TARMAC_OUT_OF_RANGE);
  EXPECT_STATUS(tarmac_output_info(session, (size_t)-1, &info), TARMAC_OUT_OF_RANGE);
  EXPECT_STATUS(tarmac_output_info(session, 0, NULL), TARMAC_USAGE);
  EXPECT_STATUS(tarmac_set_input(session, NULL, &x), TARMAC_USAGE);
  EXPECT_STATUS(tarmac_set_input(session, "x", NULL), TARMAC_USAGE);
  EXPECT_STATUS(tarmac_set_input(session, "z", &x), TARMAC_NOT_FOUND);
  EXPECT_STATUS(tarmac_run_within(session, -1), TARMAC_USAGE);
  EXPECT_STATUS(tarmac_output(session, "y", NULL), TARMAC_USAGE);
  EXPECT_STATUS(tarmac_set_input_picture(session, "x", "frame.jpg"), TARMAC_USAGE);
  EXPECT_STATUS(tarmac_set_input_frame(session, "x", NULL), TARMAC_USAGE);
  EXPECT_STATUS(tarmac_outputs_get(NULL, "y", &y), TARMAC_USAGE);

  x.size_bytes = 31;
  EXPECT_STATUS(tarmac_set_input(session, "x", &x), TARMAC_INVALID_INPUT);
  EXPECT(strstr(tarmac_last_error(), "31 bytes") != NULL);
  x = input_tensor();
  x.shape = negative;
  EXPECT_STATUS(tarmac_set_input(session, "x", &x), TARMAC_INVALID_INPUT);
  x = input_tensor();
  x.shape = NULL;
  EXPECT_STATUS(tarmac_set_input(session, "x", &x), TARMAC_USAGE);
  x = input_tensor();
  x.data = NULL;
  EXPECT_STATUS(tarmac_set_input(session, "x", &x), TARMAC_USAGE);
  x = input_tensor();
  x.rank = (size_t)-1;
  EXPECT_STATUS(tarmac_set_input(session, "x", &x), TARMAC_INVALID_INPUT);
  x = input_tensor();
  x.dtype = (tarmac_dtype)99;
  EXPECT_STATUS(tarmac_set_input(session, "x", &x), TARMAC_INVALID_INPUT);
  x.dtype = TARMAC_STRING;
  EXPECT_STATUS(tarmac_set_input(session, "x", &x), TARMAC_INVALID_INPUT);
  x.dtype = TARMAC_INT32;
  EXPECT_STATUS(tarmac_set_input(session, "x", &x), TARMAC_INVALID_INPUT);

  freed = session;
  EXPECT_OK(tarmac_free_session(session));
  EXPECT_STATUS(tarmac_run(freed), TARMAC_USAGE);
  EXPECT_STATUS(tarmac_free_session(freed), TARMAC_USAGE);
  EXPECT(strcmp(tarmac_code_name(TARMAC_OK), "ok") == 0);
  EXPECT(strcmp(tarmac_code_name(TARMAC_OUT_OF_RANGE), "out_of_range") == 0);
  EXPECT(strcmp(tarmac_code_name((tarmac_code)99), "unknown") == 0);
  return failures;
}

static int near(const float* found, float red, float green, float blue) {
  const float expected[3] = {red, green, blue};
  int i;
  for (i = 0; i < 3; ++i) {
    if (found[i] < expected[i] - 1e-5F || found[i] > expected[i] + 1e-5F) return 0;
  }
  return 1;
}

int check_pictures(const char* plan, const char* picture) {
  /* Two pixels a row, and six bytes that are not pixels. */
  const unsigned char bgr[24] = {51, 102, 255, 51, 102, 255, 9, 9, 9, 9, 9, 9,
                                 51, 102, 255, 51, 102, 255, 9, 9, 9, 9, 9, 9};
  static const int64_t batch[4] = {2, 3, 2, 2};
  float images[24] = {0};
  tarmac_frame frame;
  tarmac_tensor means, both = floats(batch, 4, images);
  tarmac_session* session;
  int i;
  failures = 0;
  memset(&frame, 0, sizeof(frame));
  frame.format = TARMAC_BGR;
  frame.height = 2;
  frame.width = 2;
  frame.data = bgr;
  frame.row_bytes = 12;
  session = open_session(plan, NULL);

  EXPECT_OK(tarmac_set_input_picture(session, "image", picture));
  EXPECT_OK(tarmac_run(session));
  EXPECT_OK(tarmac_output(session, "means", &means));
  EXPECT(near((const float*)means.data, 1, 0, 0));
  for (i = 0; i < 3; ++i) {
    EXPECT_OK(tarmac_set_input_frame(session, "image", &frame));
    EXPECT_OK(tarmac_run(session));
    EXPECT_OK(tarmac_output(session, "means", &means));
    EXPECT(near((const float*)means.data, 1, 0.4F, 0.2F));
  }

  for (i = 0; i < 24; ++i) images[i] = 0;
  EXPECT_OK(tarmac_preprocess_frame(session, "image", &frame, &both, 1));
  EXPECT_OK(tarmac_set_input(session, "image", &both));
  EXPECT_OK(tarmac_run(session));
  EXPECT_OK(tarmac_output(session, "means", &means));
  EXPECT(means.shape[0] == 2);
  EXPECT(near((const float*)means.data, 0, 0, 0) && near((const float*)means.data + 3, 1, 0.4F, 0.2F));
  EXPECT_STATUS(tarmac_preprocess_frame(session, "image", &frame, &both, 2), TARMAC_INVALID_INPUT);
  EXPECT_STATUS(tarmac_preprocess_frame(session, "image", &frame, &both, -1), TARMAC_INVALID_INPUT);
  both.dtype = TARMAC_INT32;
  EXPECT_STATUS(tarmac_preprocess_frame(session, "image", &frame, &both, 0), TARMAC_INVALID_INPUT);

  EXPECT_STATUS(tarmac_set_input_picture(session, "image", "nowhere.jpg"), TARMAC_NOT_FOUND);
  EXPECT_STATUS(tarmac_set_input_picture(session, "image", NULL), TARMAC_USAGE);
  frame.row_bytes = 5;
  EXPECT_STATUS(tarmac_set_input_frame(session, "image", &frame), TARMAC_INVALID_INPUT);
  frame.row_bytes = 12;
  frame.format = TARMAC_NV12;
  EXPECT_STATUS(tarmac_set_input_frame(session, "image", &frame), TARMAC_USAGE); /* no chroma */
  frame.format = (tarmac_pixel_format)17;
  EXPECT_STATUS(tarmac_set_input_frame(session, "image", &frame), TARMAC_INVALID_INPUT);
  frame.format = TARMAC_BGR;
  frame.data = NULL;
  EXPECT_STATUS(tarmac_set_input_frame(session, "image", &frame), TARMAC_USAGE);
  EXPECT_OK(tarmac_free_session(session));
  return failures;
}

int check_observation(const char* model, const char* trace_file) {
  tarmac_open_options options = TARMAC_OPEN_OPTIONS_INIT;
  tarmac_tensor x = input_tensor();
  tarmac_session *session, *plain;
  size_t needed = 0;
  char small[8] = "before";
  char* text;
  failures = 0;
  options.trace = 1;
  session = open_session(model, &options);
  plain = open_session(model, NULL);
  EXPECT_OK(tarmac_set_input(session, "x", &x));
  EXPECT_OK(tarmac_run(session));
  EXPECT_OK(tarmac_metrics(session, "affine", NULL, 0, &needed));
  EXPECT(needed > 100);
  EXPECT_STATUS(tarmac_metrics(session, "affine", small, sizeof(small), &needed), TARMAC_OUT_OF_RANGE);
  EXPECT(strcmp(small, "before") == 0);
  text = malloc(needed);
  EXPECT_OK(tarmac_metrics(session, "affine", text, needed, &needed));
  EXPECT(strlen(text) + 1 == needed);
  EXPECT(strstr(text, "tarmac_runs_total{model=\"affine\"} 1\n") != NULL);
  free(text);
  EXPECT_STATUS(tarmac_metrics(session, NULL, NULL, 0, &needed), TARMAC_USAGE);
  EXPECT_STATUS(tarmac_metrics(session, "affine", NULL, 5, &needed), TARMAC_USAGE);
  EXPECT_OK(tarmac_write_trace(session, trace_file));
  EXPECT_STATUS(tarmac_write_trace(session, "no/such/folder/trace.json"), TARMAC_NOT_FOUND);
  EXPECT_STATUS(tarmac_write_trace(plain, trace_file), TARMAC_USAGE);
  EXPECT_OK(tarmac_free_session(session));
  EXPECT_OK(tarmac_free_session(plain));
  return failures;
}

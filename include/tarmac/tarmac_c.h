/* Running models from C (C99), and from every language that can call it.
 *
 *   tarmac_session* session = NULL;
 *   if (tarmac_open("detector.plan", NULL, &session) != TARMAC_OK) return fail(tarmac_last_error());
 *   if (tarmac_set_input_picture(session, "image", "frame.jpg") != TARMAC_OK) return
 * fail(tarmac_last_error()); if (tarmac_run(session) != TARMAC_OK) return fail(tarmac_last_error());
 *   tarmac_tensor boxes;
 *   if (tarmac_output(session, "boxes", &boxes) != TARMAC_OK) return fail(tarmac_last_error());
 *   tarmac_free_session(session);
 *
 * Habits:
 * - Every function that can fail returns a status and touches its results only when that is TARMAC_OK.
 *   tarmac_last_error() then says what was found, what was expected and what to do.
 * - NULL where something is needed, and handles that were freed or never were one, are TARMAC_USAGE. A handle
 * that one thread frees while another uses it is a fault that nothing can catch.
 * - No function throws, prints or ends the process.
 * - Structs that may grow begin with their size, which the caller sets.
 * - Memory: what a function gives belongs to the library and lives as long as it says; what a function takes
 * stays the caller's, and must stay as it is as long as it says.
 * - Names are UTF-8 and end with a zero, sizes are in bytes, times in nanoseconds. */
#ifndef TARMAC_TARMAC_C_H
#define TARMAC_TARMAC_C_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tarmac_code {
  TARMAC_OK = 0,
  TARMAC_USAGE = 1,              /* the request itself is wrong: fix the arguments */
  TARMAC_UNSUPPORTED = 2,        /* no engine or pass here can do it: follow the remedy in the text */
  TARMAC_INVALID_MODEL = 3,      /* the model or plan is damaged or unsafe: get a good file */
  TARMAC_INVALID_INPUT = 4,      /* a value, tensor or picture is wrong: correct it */
  TARMAC_NOT_FOUND = 5,          /* a file, name or tensor does not exist: correct the name */
  TARMAC_IO = 6,                 /* reading or writing failed: repair the place, run again */
  TARMAC_OUT_OF_RANGE = 7,       /* a shape lies outside what was compiled: use an allowed one */
  TARMAC_RESOURCE_EXHAUSTED = 8, /* memory or another limit was reached: give more or ask for less */
  TARMAC_MISMATCH = 9,           /* made for another machine, engine version or model: rebuild it here */
  TARMAC_UNAVAILABLE = 10,       /* a library or device is missing on this machine */
  TARMAC_ACCEPTANCE = 11,        /* everything ran, but the contract's acceptance is not met */
  TARMAC_DEADLINE = 12,          /* the result would have come too late: drop the frame */
  TARMAC_CANCELLED = 13,         /* stopped on request */
  TARMAC_INTERNAL = 14,          /* a bug of ours or of an engine: please report */
  TARMAC_ANY_CODE = 0x7FFFFFFF /* no code: makes room for any number, which is then answered with an error */
} tarmac_code;

/* "out_of_range"; "unknown" for other numbers. */
const char* tarmac_code_name(tarmac_code status);
/* Why the latest call on this thread that failed did so, on one line; "" before any. Valid until the next one
 * fails. */
const char* tarmac_last_error(void);
/* "major.minor.patch". */
const char* tarmac_version(void);

/* Element types; the values are those of ONNX TensorProto.DataType. 16-bit floats are their bits; sub-byte
 * types pack low bits first. Strings cannot pass this interface. */
typedef enum tarmac_dtype {
  TARMAC_UNDEFINED = 0, /* what is not a tensor */
  TARMAC_FLOAT32 = 1,
  TARMAC_UINT8 = 2,
  TARMAC_INT8 = 3,
  TARMAC_UINT16 = 4,
  TARMAC_INT16 = 5,
  TARMAC_INT32 = 6,
  TARMAC_INT64 = 7,
  TARMAC_STRING = 8,
  TARMAC_BOOL = 9,
  TARMAC_FLOAT16 = 10,
  TARMAC_FLOAT64 = 11,
  TARMAC_UINT32 = 12,
  TARMAC_UINT64 = 13,
  TARMAC_BFLOAT16 = 16,
  TARMAC_FLOAT8E4M3FN = 17,
  TARMAC_FLOAT8E5M2 = 19,
  TARMAC_UINT4 = 21,
  TARMAC_INT4 = 22,
  TARMAC_ANY_DTYPE = 0x7FFFFFFF /* as TARMAC_ANY_CODE */
} tarmac_dtype;

/* Dense, row-major memory. */
typedef struct tarmac_tensor {
  tarmac_dtype dtype;
  size_t rank;
  const int64_t* shape; /* rank sizes, outermost first; may be NULL for rank 0 */
  void* data;
  size_t size_bytes; /* exactly what dtype and shape need */
} tarmac_tensor;

/* What a model says of an input or output. Lives as long as the session. */
typedef struct tarmac_tensor_info {
  const char* name;
  tarmac_dtype dtype;
  size_t rank;          /* 0 as well where even the rank is open: `type` says so */
  const int64_t* shape; /* rank sizes; -1 where the model leaves one open */
  const char* type;     /* in words: "float32[batch, 3, 224, 224]" */
} tarmac_tensor_info;

/* ---- Sessions
 * -------------------------------------------------------------------------------------------------- */

/* A loaded model with room for one inference at a time. One thread may use it at a time; sessions that
 * tarmac_clone_context() makes share the model with its weights and may run at once. */
typedef struct tarmac_session tarmac_session;

typedef struct tarmac_open_options {
  size_t size;        /* sizeof(tarmac_open_options) */
  const char* target; /* "openvino", "onnxruntime", ...; NULL: the plan's, or "openvino" for an ONNX file */
  int32_t cores;      /* threads the model may use, calling thread included; 0: the plan's, or all */
  int32_t streams;    /* inferences at once that the engine is laid out for; 0: the plan's, or 1 */
  const char* required_signer;  /* PEM file of the key that must have signed the plan; NULL: any */
  int32_t strict;               /* not 0: refuse shapes that the plan does not make ready */
  int32_t trace;                /* not 0: record what takes how long, for tarmac_write_trace() */
  const char* const* providers; /* ONNX Runtime's execution providers in order of preference */
  size_t provider_count;
  int32_t allow_fallback; /* not 0: nodes may run on a later provider than the first */
} tarmac_open_options;

/* Options with their size set and everything else 0. */
#define TARMAC_OPEN_OPTIONS_INIT \
  { sizeof(tarmac_open_options), NULL, 0, 0, NULL, 0, 0, NULL, 0, 0 }

/* Loads a plan or an ONNX file. `options` may be NULL. */
tarmac_code tarmac_open(const char* path, const tarmac_open_options* options, tarmac_session** session);
/* A further session on the same compiled model, with nothing bound and temporal state of its own. */
tarmac_code tarmac_clone_context(tarmac_session* session, tarmac_session** clone);
/* Waits for a run under way. NULL is allowed. */
tarmac_code tarmac_free_session(tarmac_session* session);

tarmac_code tarmac_input_count(const tarmac_session* session, size_t* count);
tarmac_code tarmac_output_count(const tarmac_session* session, size_t* count);
/* In the model's order. */
tarmac_code tarmac_input_info(const tarmac_session* session, size_t index, tarmac_tensor_info* info);
tarmac_code tarmac_output_info(const tarmac_session* session, size_t index, tarmac_tensor_info* info);
/* "OpenVINO 2026.4.0 (CPU)"; lives as long as the session. */
tarmac_code tarmac_engine_version(const tarmac_session* session, const char** version);

/* Binds the caller's memory for the runs that follow, until another is bound or the session is freed. It is
 * not copied where the engine can read it in place, and never written: change it between runs only, then bind
 * it again. Binding the same memory again allocates nothing. */
tarmac_code tarmac_set_input(tarmac_session* session, const char* name, const tarmac_tensor* tensor);
/* Has the engine write an output into the caller's memory, of exactly the result's shape, until the session
 * is freed. */
tarmac_code tarmac_set_output(tarmac_session* session, const char* name, const tarmac_tensor* tensor);

tarmac_code tarmac_run(tarmac_session* session);
/* TARMAC_DEADLINE where the result would come later than `timeout_ns` from now: a run that has not begun by
 * then does not begin, one under way is stopped where the engine can. */
tarmac_code tarmac_run_within(tarmac_session* session, int64_t timeout_ns);
/* `error` is the text where `status` is not TARMAC_OK, else ""; valid during the call. */
typedef void (*tarmac_run_done)(void* user, tarmac_code status, const char* error);
/* The same on a thread of the session's own; timeout_ns below 0: no deadline. Until `done` has been called,
 * the session answers everything else with TARMAC_USAGE. `done` runs on that thread, or before this returns
 * where the run could not begin. It may begin the next run; it must not free the session. */
tarmac_code tarmac_run_async(tarmac_session* session, int64_t timeout_ns, tarmac_run_done done, void* user);
/* A result of the latest run; valid until the next run or the session's end. */
tarmac_code tarmac_output(tarmac_session* session, const char* name, tarmac_tensor* tensor);
/* Temporal state: the next run begins a new scene. */
tarmac_code tarmac_reset_scene(tarmac_session* session);

/* ---- Cameras
 * --------------------------------------------------------------------------------------------------- */

typedef enum tarmac_pixel_format {
  TARMAC_RGB = 0,
  TARMAC_BGR = 1,
  TARMAC_NV12 = 2, /* a plane of Y, then one of half the rows with U V for each 2 x 2 pixels */
  TARMAC_YUYV = 3, /* Y U Y V for each two pixels of a row */
  TARMAC_ANY_PIXEL_FORMAT = 0x7FFFFFFF /* as TARMAC_ANY_CODE */
} tarmac_pixel_format;

/* One frame of 8 bits a value. Row y of a plane begins at its pointer + y * its row_bytes. */
typedef struct tarmac_frame {
  tarmac_pixel_format format;
  int32_t height;
  int32_t width;
  const void* data; /* the pixels, or the plane of Y */
  size_t row_bytes;
  const void* chroma; /* NV12 only: the plane of U V */
  size_t chroma_row_bytes;
} tarmac_frame;

/* A picture file as an input, by the plan's contract: preprocessed into memory of the session and bound. */
tarmac_code tarmac_set_input_picture(tarmac_session* session, const char* name, const char* path);
/* The same of a frame, which is read during the call only. In the steady state nothing is allocated where the
 * contract says `geometry: fused`. */
tarmac_code tarmac_set_input_frame(tarmac_session* session, const char* name, const tarmac_frame* frame);
/* A frame into sample `index` along the first axis of the caller's tensor. May be called during runs. */
tarmac_code tarmac_preprocess_frame(const tarmac_session* session, const char* name,
                                    const tarmac_frame* frame, const tarmac_tensor* tensor, int64_t index);

/* ---- Batches
 * --------------------------------------------------------------------------------------------------- */

/* Collects requests that come one at a time into batches and runs them on contexts of one model. Any thread
 * may use it. */
typedef struct tarmac_batcher tarmac_batcher;

typedef struct tarmac_batcher_options {
  size_t size;         /* sizeof(tarmac_batcher_options) */
  int64_t max_batch;   /* 0: 8 */
  int64_t max_wait_ns; /* how long the first item of a batch may wait for others; 0: 2 ms */
  int32_t contexts;    /* batches at once; 0: 1 */
  size_t max_queue;    /* items waiting; more are refused with TARMAC_RESOURCE_EXHAUSTED; 0: 1024 */
} tarmac_batcher_options;

#define TARMAC_BATCHER_OPTIONS_INIT \
  { sizeof(tarmac_batcher_options), 0, 0, 0, 0 }

/* What a batcher's item came to. Exists during the callback only. */
typedef struct tarmac_outputs tarmac_outputs;
tarmac_code tarmac_outputs_get(const tarmac_outputs* outputs, const char* name, tarmac_tensor* tensor);

/* `outputs` is NULL where `status` is not TARMAC_OK; `error` as for tarmac_run_done. */
typedef void (*tarmac_item_done)(void* user, tarmac_code status, const char* error,
                                 const tarmac_outputs* outputs);

/* The session need not outlive the batcher. `options` may be NULL. */
tarmac_code tarmac_create_batcher(tarmac_session* session, const tarmac_batcher_options* options,
                                  tarmac_batcher** batcher);
/* One item: `count` inputs with a first axis of 1, named by `names`. Their memory must stay as it is until
 * `done`, which is called once, on a thread of the batcher or before this returns; timeout_ns below 0: no
 * deadline. `done` must not free the batcher. Where this fails, `done` is not called. */
tarmac_code tarmac_submit(tarmac_batcher* batcher, const char* const* names, const tarmac_tensor* inputs,
                          size_t count, int64_t timeout_ns, tarmac_item_done done, void* user);
/* Runs what was submitted before. NULL is allowed. */
tarmac_code tarmac_free_batcher(tarmac_batcher* batcher);

/* ---- What a model did
 * ------------------------------------------------------------------------------------------ */

/* Counts of the session and its clones in Prometheus' text format, `model` being the label of that name.
 * Writes at most `capacity` bytes with a zero at the end; `needed` gets how many all of it takes.
 * TARMAC_OUT_OF_RANGE where that is more; with `text` NULL and `capacity` 0 it only asks. */
tarmac_code tarmac_metrics(const tarmac_session* session, const char* model, char* text, size_t capacity,
                           size_t* needed);
/* What was recorded since the session was opened with `trace`, as a Chrome trace. */
tarmac_code tarmac_write_trace(const tarmac_session* session, const char* path);

#ifdef __cplusplus
}
#endif

#endif /* TARMAC_TARMAC_C_H */

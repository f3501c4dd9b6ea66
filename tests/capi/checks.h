/* Checks of the C interface, written in C. Each returns how many of its expectations failed, having printed
 * them. */
#ifndef TARMAC_TESTS_CAPI_CHECKS_H
#define TARMAC_TESTS_CAPI_CHECKS_H

#ifdef __cplusplus
extern "C" {
#endif

/* `model`: x float32[batch, 4] -> y float32[batch, 2]; y = x [[1, 0], [0, 1], [2, 0], [0, 2]] + [0.5, -0.5].
 */
int check_sessions(const char* model);
int check_asynchronous_runs(const char* model);
int check_batches(const char* model);
int check_errors(const char* model);
/* `plan`: image float32[batch, 3, 2, 2] -> means float32[batch, 3], of RGB pictures of 2 x 2 in [0, 1];
 * `picture` is one of red pixels. */
int check_pictures(const char* plan, const char* picture);
int check_observation(const char* model, const char* trace_file);

#ifdef __cplusplus
}
#endif

#endif

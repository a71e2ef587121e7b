#pragma once

#include <stddef.h>
#include <stdint.h>

/* libgrpo for C, and for every language that calls C: load a model, tokenize, generate, score.
 *
 * Functions return a status, and pointers are NULL where they cannot be made; grpo_error() then says why. Text is UTF-8. Options are JSON
 * objects as in configs (configs/README.md), with comments; NULL or "" stands for none, and an unknown one is an error that names the
 * nearest.
 *
 * Where text or ids are returned, the caller owns the memory: `capacity` elements at most are written to it, text with a NUL at its end,
 * and the number that there are, without the NUL, is stored. If that is more than fits, call again with more.
 *
 * An object is used by one thread at a time; different objects may be used by different threads. */

#ifdef __cplusplus
extern "C" {
#define GRPO_C_API __attribute__((visibility("default")))
#else
#define GRPO_C_API
#endif

enum grpo_status {
  GRPO_OK = 0,
  GRPO_FAILURE = 1,     /* something went wrong: a damaged file, no memory */
  GRPO_USAGE = 2,       /* an argument or option is wrong */
  GRPO_INTERRUPTED = 75 /* a signal to stop cut the work short */
};

/* The version of the library that is linked, such as "0.1.0". */
GRPO_C_API const char* grpo_version(void);

/* What this thread's last failed call says, "[where] expected …; got …"; empty if there was none. Valid until the next one fails. */
GRPO_C_API const char* grpo_error(void);

/* The `grpo` program with its built-in parts. Returns the exit status. */
GRPO_C_API int grpo_main(int argc, char** argv);

/* A model with its tokenizer, and what samples from it. */
typedef struct grpo_model grpo_model;

/* Loads a Hugging Face folder or a .gguf file. Options are those of the config's section `model`, except `path`, such as
 * {"device": "cpu", "compute_dtype": "float32"}. */
GRPO_C_API grpo_model* grpo_model_load(const char* path, const char* options);
GRPO_C_API void grpo_model_free(grpo_model* model);

/* The ids of a text, with the tokenizer's begin and end tokens if `special_tokens` is not 0. */
GRPO_C_API int grpo_tokenize(grpo_model* model, const char* text, int special_tokens, int32_t* ids, size_t capacity, size_t* count);
/* The text of `count` ids, without special tokens if `skip_special_tokens` is not 0. */
GRPO_C_API int grpo_detokenize(grpo_model* model, const int32_t* ids, size_t count, int skip_special_tokens, char* text, size_t capacity,
                               size_t* length);

/* Receives the next `length` bytes of a completion, whole characters; anything but 0 ends it there. */
typedef int (*grpo_text_callback)(const char* text, size_t length, void* user);

/* Samples one completion of a prompt and hands its text over as it comes. Options are those of SamplingParams (max_completion_length,
 * temperature, top_k, top_p, …; what is not given is as the model's makers recommend, else greedy), `seed`, and `prompt_template`,
 * `system_prompt` and `chat_template_kwargs` (by default the tokenizer's chat template, if it brings one, else the bare text). */
GRPO_C_API int grpo_generate(grpo_model* model, const char* prompt, const char* options, grpo_text_callback callback, void* user);

/* A reward function. */
typedef struct grpo_reward grpo_reward;

/* Makes a built-in one, such as "accuracy", with its own options. */
GRPO_C_API grpo_reward* grpo_reward_make(const char* name, const char* options);
GRPO_C_API void grpo_reward_free(grpo_reward* reward);

/* Scores a completion of a problem, a JSON object as a line of a data file: {"question": …, "answer": …}. `score` is NaN if the function
 * gives no verdict. The reason, for people, is stored like other text; `reason` may be NULL with a capacity of 0. */
GRPO_C_API int grpo_score(grpo_reward* reward, const char* problem, const char* completion, double* score, char* reason, size_t capacity,
                          size_t* length);

#ifdef __cplusplus
}
#endif

#pragma once

/* libgrpo for C, and for any language that calls C. */

#ifdef __cplusplus
extern "C" {
#define GRPO_C_API __attribute__((visibility("default")))
#else
#define GRPO_C_API
#endif

/* The version of the library that is linked, such as "0.1.0". */
GRPO_C_API const char* grpo_version(void);

/* The `grpo` program with its built-in parts, see grpo/cli/main.h. Returns the exit status. */
GRPO_C_API int grpo_main(int argc, char** argv);

#ifdef __cplusplus
}
#endif

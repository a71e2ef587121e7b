/* libgrpo from plain C. Oracle: the header's version. */
#include <grpo/c.h>
#include <string.h>

int main(void) { return strcmp(grpo_version(), "0.1.0"); }

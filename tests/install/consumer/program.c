/* libgrpo from plain C. Oracle: the header's version, and an answer that is right. */
#include <grpo/c.h>
#include <stdio.h>
#include <string.h>

int main(void) {
  if (strcmp(grpo_version(), "0.1.0") != 0) return 1;
  if (grpo_reward_make("acuracy", NULL) != NULL || strstr(grpo_error(), "accuracy") == NULL) return 2;
  grpo_reward* reward = grpo_reward_make("accuracy", NULL);
  if (reward == NULL) return fprintf(stderr, "%s\n", grpo_error()), 3;
  double score = 0.0;
  char reason[64];
  size_t length = 0;
  const int status =
      grpo_score(reward, "{\"question\": \"half?\", \"answer\": \"1/2\"}", "<answer>0.5</answer>", &score, reason, sizeof reason, &length);
  grpo_reward_free(reward);
  return status == GRPO_OK && score == 1.0 && strlen(reason) == length ? 0 : 4;
}

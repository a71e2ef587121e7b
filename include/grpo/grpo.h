#pragma once

// Everything that needs no torch header: rewards, tasks, configs, trainers and the program. For a reward alone grpo/reward.h is lighter;
// for tensors include grpo/torch.h.
//
// Letters of shapes, everywhere: P prompts, G samples per prompt, B = P·G, N packed tokens, M (row, target) pairs, T time, V vocabulary,
// D hidden, H heads.
#include "grpo/core/interrupt.h"
#include "grpo/core/log.h"
#include "grpo/core/progress.h"
#include "grpo/data/dataset.h"
#include "grpo/data/prompt.h"
#include "grpo/data/source.h"
#include "grpo/data/tasks.h"
#include "grpo/model/family.h"
#include "grpo/optim/schedule.h"
#include "grpo/reward.h"
#include "grpo/reward/score.h"
#include "grpo/run/metric_sink.h"
#include "grpo/text/tokenizer.h"
#include "grpo/trainer/config.h"
#include "grpo/trainer/policy_trainer.h"
#include "grpo/version.h"

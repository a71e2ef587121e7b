#pragma once

// For loops of your own: everything of grpo/grpo.h, and what shows tensors.
#include "grpo/algorithm/advantages.h"
#include "grpo/algorithm/batch.h"
#include "grpo/algorithm/loss.h"
#include "grpo/dist/communicator.h"
#include "grpo/grpo.h"
#include "grpo/model/transformer.h"
#include "grpo/optim/adamw.h"
#include "grpo/rollout/engine.h"
#include "grpo/trainer/data_parallel.h"
#include "grpo/trainer/evaluation.h"
#include "grpo/trainer/policy.h"

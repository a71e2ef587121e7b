#pragma once

// For losses and loops of your own: everything of grpo/grpo.h, what shows tensors, and ATen's operators and functions.
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "grpo/algorithm/advantages.h"
#include "grpo/algorithm/batch.h"
#include "grpo/algorithm/correction.h"
#include "grpo/algorithm/dpo.h"
#include "grpo/algorithm/gae.h"
#include "grpo/algorithm/kl.h"
#include "grpo/algorithm/loss.h"
#include "grpo/algorithm/loss_registry.h"
#include "grpo/algorithm/policy_term.h"
#include "grpo/algorithm/prime.h"
#include "grpo/dist/communicator.h"
#include "grpo/grpo.h"
#include "grpo/model/transformer.h"
#include "grpo/objective/objective.h"
#include "grpo/optim/adamw.h"
#include "grpo/optim/optimizer.h"
#include "grpo/policy/data_parallel.h"
#include "grpo/policy/evaluation.h"
#include "grpo/policy/experience.h"
#include "grpo/policy/policy.h"
#include "grpo/policy/sampling.h"
#include "grpo/rollout/engine.h"

#pragma once

// For a reward of your own, and for the program that has it: little else, so that a file of rewards compiles in about a second.
#include "grpo/cli/main.h"
#include "grpo/core/error.h"
#include "grpo/data/options.h"
#include "grpo/data/strings.h"
#include "grpo/data/types.h"
#include "grpo/math/rational.h"
#include "grpo/math/verify.h"
#include "grpo/reward/answer.h"
#include "grpo/reward/registry.h"
#include "grpo/reward/reward.h"
#include "grpo/trainer/registry.h"

#pragma once
// Private precompiled header of the rooms that use torch: never installed, never included by name.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/variable.h>

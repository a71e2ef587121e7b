#pragma once
// Private precompiled header of the rooms that use torch: never installed, never included by name. Loading it costs every file 0.8 s; with
// all of ATen it would be 1.6 s, and with torch/csrc/autograd 2.9 s, for the few files of ops that need that.
#include <ATen/core/Tensor.h>

#include <nlohmann/json.hpp>

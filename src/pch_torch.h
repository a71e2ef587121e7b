#pragma once
// Private precompiled header of the rooms that use torch: never installed, never included by name. Loading it costs every file 1.6 s;
// with torch/csrc/autograd it would be 2.9 s, for the few files of ops that need that.
#include <ATen/ATen.h>

#include <nlohmann/json.hpp>

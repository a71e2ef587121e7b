#pragma once
// Private precompiled header of the test programs that use torch; like pch_torch.h, with GoogleTest.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

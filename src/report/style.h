#pragma once

namespace grpo::report {

extern const char* const kStyle;       // the page's CSS
extern const char* const kScript;      // values under the pointer; the page is complete without it
extern const char* const kLiveScript;  // puts later versions of a served page in its place

}  // namespace grpo::report

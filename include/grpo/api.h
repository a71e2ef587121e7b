#pragma once

/// What leaves libgrpo: public headers open their namespace with it (`namespace GRPO_API grpo {`), and everything else stays hidden.
#define GRPO_API [[gnu::visibility("default")]]

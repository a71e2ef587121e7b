#pragma once

namespace grpo {

/// Opens /dev/null in the place of each of the descriptors 0 to 2 that is closed. Otherwise the next files that are opened would get these
/// numbers, and what is meant for the standard error would be written into them. It happens by itself when the library is loaded.
void open_standard_descriptors();

}  // namespace grpo

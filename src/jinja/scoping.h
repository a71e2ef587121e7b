#pragma once

#include "jinja/ast.h"

namespace grpo::jinja {

/// Fills in every `unset` of a template: the names that a body sets before it reads them and that no body around it mentions. Jinja2 takes
/// them for variables of the body, which are undefined until they are set, even where the rendering was given a variable of that name.
void resolve_scopes(Template& parsed);

}  // namespace grpo::jinja

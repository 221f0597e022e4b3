#pragma once

#include "common/base/error.h"

namespace fl::serving {

/// The exception that is being handled, as an Error: unavailable where there was not memory enough, internal
/// where it is another one than Error. To be called in a handler.
Error present_error();

}  // namespace fl::serving

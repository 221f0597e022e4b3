#pragma once

#include <string>
#include <string_view>

#include "common/model/layout.h"

namespace fl {

/// JSON text as kept in the server's database:
/// {"tensors": [{"name": "conv1.weight", "type": "FP32", "shape": [32, 6, 5], "role": "trained"}, …]}
std::string to_json(const Layout& layout);

/// Throws Error(invalid_data) naming the key that is missing, unknown or of the wrong kind, or the tensor
/// that Layout::add refuses; and where the text is longer than 64 MB.
Layout layout_from_json(std::string_view text);

}  // namespace fl

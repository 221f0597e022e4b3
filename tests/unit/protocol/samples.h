#pragma once

#include <cstddef>
#include <vector>

#include <flatbuffers/flatbuffers.h>

#include "protocol/message.h"

namespace fl::test {

/// One message of each kind, every field set.
std::vector<flatbuffers::DetachedBuffer> sample_messages();

/// Reads every field and every element of a message that verified; the sum is of no use but to keep the
/// reads.
std::size_t read_everything(const wire::Message& message);

}  // namespace fl::test

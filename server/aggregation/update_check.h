#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/model/encoding.h"
#include "protocol/message.h"

namespace fl::server {

/// Why the content of an update is refused.
struct UpdateFault {
  wire::Outcome outcome;
  std::string sentence;
};

/// Looks through an update while its bytes come, however they are cut, for what must not be counted: NaN,
/// infinities, elements that are larger than the plan allows. Holds 32 KiB at most, and nothing before the
/// first bytes. One thread at a time.
class UpdateCheck {
 public:
  /// What the magnitudes of the first `deltas` elements may be, and those of the others, a control variate's.
  struct Bounds {
    std::size_t deltas = 0;
    float delta = 0;
    float control = 0;
  };

  UpdateCheck(Encoding encoding, std::size_t elements, const Bounds& bounds);

  /// The bytes that follow those before. What comes behind the last element is ignored.
  void look_at(ByteView bytes);

  /// Of the first element that must not be counted, of those that were looked at: by pieces of 4,096.
  const std::optional<UpdateFault>& fault() const { return fault_; }

 private:
  void check(ByteView piece);
  void check(std::span<const float> values, std::size_t first, float bound);

  Encoding encoding_;
  std::size_t elements_;
  Bounds bounds_;
  std::size_t checked_ = 0;     ///< Of the elements.
  std::vector<float> decoded_;  ///< A piece.
  Bytes cut_off_;               ///< The beginning of a piece whose rest is still to come.
  std::optional<UpdateFault> fault_;
};

}  // namespace fl::server

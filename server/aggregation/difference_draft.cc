#include "server/aggregation/difference_draft.h"

#include <algorithm>
#include <limits>

#include "common/model/finite.h"

namespace fl::server {

DifferenceDraft::DifferenceDraft(const BlobStore& blobs, const Digest& base, const DifferencePlan& plan)
    : draft_(blobs),
      rounding_(plan.seed),
      moved_(difference_piece),
      encoded_(encoded_bytes(plan.encoding, difference_piece)) {
  difference_.base = base;
  difference_.encoding = plan.encoding;
}

bool DifferenceDraft::add(std::span<const float> base, std::span<float> next) {
  const auto moved = std::span(moved_).first(next.size());
  for (std::size_t i = 0; i < moved.size(); ++i) moved[i] = next[i] - base[i];
  if (first_outside(moved, largest_encodable(difference_.encoding))) return false;
  const auto bytes = std::span(encoded_).first(encoded_bytes(difference_.encoding, moved.size()));
  encode(difference_.encoding, moved, rounding_, bytes);
  std::copy(base.begin(), base.end(), next.begin());
  add_decoded(difference_.encoding, bytes, next);
  if (first_outside(next, std::numeric_limits<float>::max())) return false;
  difference_.encoded += next.size();
  write(bytes);
  return true;
}

void DifferenceDraft::add_values(std::span<const float> next) {
  write(as_bytes(next));
}

void DifferenceDraft::write(ByteView bytes) {
  draft_.write(bytes);
  difference_.bytes += bytes.size();
}

Difference DifferenceDraft::commit() {
  difference_.hash = draft_.commit();
  return difference_;
}

}  // namespace fl::server

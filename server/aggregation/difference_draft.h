#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/random.h"
#include "common/model/difference.h"
#include "server/ledger/blob_store.h"

namespace fl::server {

/// How a version is made so that devices that have the one before need only the difference.
struct DifferencePlan {
  Encoding encoding = Encoding::fp32;  ///< fp32: there is to be none.
  std::uint64_t seed = 0;              ///< Of int8's rounding: the same gives the same bits (I4).
};

/// The difference of a version in the making, written piece by piece as the version is. It decides what the
/// version is: of each trained element, the base and what the difference decodes to. One thread at a time;
/// Error as BlobDraft.
class DifferenceDraft {
 public:
  DifferenceDraft(const BlobStore& blobs, const Digest& base, const DifferencePlan& plan);

  /// The next trained elements, at most difference_piece, and fewer only the last time: `next` becomes what
  /// a device will make of them. False where one moves by more than the encoding has room for, or would not
  /// stay finite: there is then no such difference.
  [[nodiscard]] bool add(std::span<const float> base, std::span<float> next);
  /// The elements after the trained ones, which stay as they are.
  void add_values(std::span<const float> next);
  /// Durable when it returns. Only the destructor may follow.
  Difference commit();

 private:
  void write(ByteView bytes);

  BlobDraft draft_;
  Random rounding_;
  Difference difference_;
  std::vector<float> moved_;
  Bytes encoded_;
};

}  // namespace fl::server

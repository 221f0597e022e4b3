#include "server/fleet/next_version.h"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <limits>
#include <string>
#include <vector>

#include "common/base/error.h"
#include "common/base/files.h"
#include "common/model/finite.h"

namespace fl::server {
namespace {

/// What is in memory at a time. The vectors of a state lie on the disk by such pieces, so that another number
/// would not read what was written with this one.
constexpr std::size_t piece_elements = std::size_t{64} << 10U;

/// A blob of floats, read from its start and hashed as it passes.
class BlobReader {
 public:
  BlobReader(const BlobStore& blobs, const Digest& hash)
      : hash_(hash), path_(blobs.path(hash)), file_(open_file(path_, O_RDONLY)) {}

  void read(std::span<float> values) {
    const auto bytes = std::as_writable_bytes(values);
    read_at(file_, offset_, bytes, path_);
    offset_ += bytes.size();
    running_.update(bytes);
  }

  /// Throws Error(invalid_data) unless what was read is the whole blob.
  void finish() {
    if (running_.finish() == hash_) return;
    throw Error(ErrorCode::invalid_data,
                path_.string() + " does not hold what its name says; restore it from a backup");
  }

 private:
  Digest hash_;
  std::filesystem::path path_;
  FileDescriptor file_;
  std::uint64_t offset_ = 0;
  Sha256 running_;
};

/// The vectors of a strategy, one after the other by pieces: of each piece the first vector's elements, then
/// the second's.
class State {
 public:
  State(BlobStore& blobs, const std::optional<Digest>& base, const Strategy& strategy)
      : strategy_(strategy), count_(strategy.state_vectors()), values_(count_ * piece_elements) {
    if (count_ == 0) return;
    if (base) before_.emplace(blobs, *base);
    after_.emplace(blobs);
  }

  /// The next `count` elements of each vector.
  std::array<std::span<float>, most_state_vectors> next(std::size_t count) {
    std::array<std::span<float>, most_state_vectors> spans;
    for (std::size_t vector = 0; vector < count_; ++vector) {
      spans.at(vector) = std::span(values_).subspan(vector * count, count);
      if (!before_)
        std::fill(spans.at(vector).begin(), spans.at(vector).end(), strategy_.initial_state(vector));
    }
    if (before_) before_->read(std::span(values_).first(count_ * count));
    return spans;
  }

  /// The elements that next() gave have been moved on.
  void keep(std::size_t count) {
    if (after_) after_->write(std::as_bytes(std::span(values_).first(count_ * count)));
  }

  std::optional<Digest> commit() {
    if (before_) before_->finish();
    if (!after_) return std::nullopt;
    return after_->commit();
  }

 private:
  const Strategy& strategy_;
  std::size_t count_;
  std::vector<float> values_;
  std::optional<BlobReader> before_;
  std::optional<BlobDraft> after_;
};

}  // namespace

RoundResult make_next_version(BlobStore& blobs, const BaseVersion& base, const Layout& layout,
                              const Strategy& strategy, const ExactFold& fold) {
  const std::size_t trained = trained_elements(layout);
  BlobReader weights(blobs, base.weights);
  State state(blobs, base.state, strategy);
  BlobDraft draft(blobs);
  std::vector<float> before(piece_elements);
  std::vector<float> after(piece_elements);
  for (std::size_t first = 0; first < layout.size(); first += piece_elements) {
    const std::size_t count = std::min(piece_elements, layout.size() - first);
    const std::size_t moved = std::min(count, trained - std::min(first, trained));
    const auto values = std::span(before).first(count);
    const auto next = std::span(after).first(count);
    weights.read(values);
    next_elements(strategy, trained, first,
                  {values, fold.sum().subspan(first, count), static_cast<double>(fold.total_weight()),
                   state.next(moved), next});
    if (const auto wrong = first_outside(next, std::numeric_limits<float>::max())) {
      throw Error(ErrorCode::failed_precondition,
                  "element " + std::to_string(first + *wrong) + " of the next version is NaN or infinite");
    }
    state.keep(moved);
    draft.write(as_bytes(std::span<const float>(next)));
  }
  weights.finish();
  RoundResult result;
  result.state = state.commit();
  result.weights = draft.commit();
  return result;
}

}  // namespace fl::server

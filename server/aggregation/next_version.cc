#include "server/aggregation/next_version.h"

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
static_assert(piece_elements <= difference_piece && piece_elements % encoding_block == 0);

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

/// What the next elements are made of: the fold's sums or, of trained elements under a rule, what the rule
/// makes of the updates.
class Sums {
 public:
  struct Piece {
    std::span<const double> sum;
    double total_weight;
  };

  Sums(const ExactFold& fold, const RoundUpdates* updates, std::size_t elements)
      : fold_(fold),
        updates_(updates),
        elements_(elements),
        folded_from_(elements - std::min(elements, fold.size())),
        combined_(updates == nullptr ? 0 : piece_elements) {}

  /// Of the control variates of so many trained elements, which follow those of the model.
  std::span<const double> controls(std::size_t first, std::size_t count) const {
    return fold_.sum().subspan(elements_ + first, count);
  }

  Piece next(std::size_t first, std::size_t count) {
    if (first >= folded_from_) {
      return {fold_.sum().subspan(first - folded_from_, count), static_cast<double>(fold_.total_weight())};
    }
    const auto delta = std::span(combined_).first(count);
    updates_->combine(first, delta);
    return {delta, 1.0};
  }

 private:
  const ExactFold& fold_;
  const RoundUpdates* updates_;
  std::size_t elements_;  ///< Of the model.
  std::size_t folded_from_;
  std::vector<double> combined_;
};

void require_finite(std::span<const float> next, std::size_t first) {
  if (const auto wrong = first_outside(next, std::numeric_limits<float>::max())) {
    throw Error(ErrorCode::failed_precondition,
                "element " + std::to_string(first + *wrong) + " of the next version is NaN or infinite");
  }
}

/// What one pass over the model makes the next version of.
struct Making {
  BlobStore& blobs;
  const BaseVersion& base;
  const Layout& layout;
  const Strategy& strategy;
  const ExactFold& fold;
  const RoundUpdates* updates;
};

/// Nothing where there is to be a difference and there cannot be one.
std::optional<RoundResult> make_in_one_pass(const Making& of, const DifferencePlan& plan) {
  const std::size_t trained = of.layout.trained_size();
  BlobReader weights(of.blobs, of.base.weights);
  State state(of.blobs, of.base.state, of.strategy);
  Sums sums(of.fold, of.updates, of.layout.size());
  BlobDraft draft(of.blobs);
  std::optional<DifferenceDraft> difference;
  if (plan.encoding != Encoding::fp32 && trained > 0) difference.emplace(of.blobs, of.base.weights, plan);
  std::vector<float> before(piece_elements);
  std::vector<float> after(piece_elements);
  std::size_t count = 0;
  for (std::size_t first = 0; first < of.layout.size(); first += count) {
    const bool moved = first < trained;  // the rest of a piece with buffers in it is the next piece
    count = std::min(piece_elements, (moved ? trained : of.layout.size()) - first);
    const auto values = std::span(before).first(count);
    const auto next = std::span(after).first(count);
    weights.read(values);
    const auto [sum, total_weight] = sums.next(first, count);
    const std::size_t carried = moved ? count : 0;
    ElementRange range{values, sum, total_weight, state.next(carried), next};
    if (of.strategy.has_controls() && moved) range.control_sum = sums.controls(first, carried);
    next_elements(of.strategy, trained, first, range);
    require_finite(next, first);
    state.keep(carried);
    if (difference && moved && !difference->add(values, next)) return std::nullopt;
    if (difference && !moved) difference->add_values(next);
    draft.write(as_bytes(std::span<const float>(next)));
  }
  weights.finish();
  RoundResult result;
  result.state = state.commit();
  if (difference) result.difference = difference->commit();
  result.weights = draft.commit();
  return result;
}

}  // namespace

RoundResult make_next_version(BlobStore& blobs, const BaseVersion& base, const Layout& layout,
                              const Strategy& strategy, const ExactFold& fold, const RoundUpdates* updates,
                              const DifferencePlan& difference) {
  const Making making{blobs, base, layout, strategy, fold, updates};
  std::optional<RoundResult> result = make_in_one_pass(making, difference);
  if (!result) result = make_in_one_pass(making, {});
  return *std::move(result);
}

}  // namespace fl::server

#include "server/aggregation/round_updates.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>

#include "common/base/error.h"
#include "common/model/finite.h"
#include "server/aggregation/shared_work.h"
#include "server/aggregation/update_file.h"

namespace fl::server {
namespace {

constexpr std::size_t most_floats = std::size_t{4} << 20U;
// Of one update at a time: more makes reading no faster.
constexpr std::size_t most_elements = std::size_t{32} << 10U;

std::size_t blocks_of(std::size_t elements) {
  return (elements + block_elements - 1) / block_elements;
}

}  // namespace

/// Reads one range after the other.
class RoundUpdates::Reader {
 public:
  explicit Reader(const RoundUpdates& round)
      : round_(round),
        at_once_(std::clamp(most_floats / round.updates_.size() / block_elements * block_elements,
                            block_elements, most_elements)) {}

  /// Shows the elements to `visit` as ranges, with where each begins.
  template <typename Visit>
  void for_each_range(std::size_t begin, std::size_t end, const Visit& visit) {
    for (std::size_t first = begin; first < end; first += at_once_) {
      visit(first, read(first, std::min(at_once_, end - first)));
    }
  }

 private:
  DeltaRange read(std::size_t first, std::size_t count) {
    values_.resize(round_.updates_.size() * count);
    deltas_.clear();
    for (const RoundUpdate& update : round_.updates_) {
      const auto values = std::span(values_).subspan(deltas_.size() * count, count);
      UpdateFile(update.delta, update.encoding, round_.shape_.elements).read(first, values);
      if (first_outside(values, round_.shape_.max_delta)) {
        throw Error(ErrorCode::invalid_data,
                    update.delta.string() + ", which had been checked, holds NaN, infinity or more than " +
                        std::to_string(round_.shape_.max_delta) + " now; it was changed on the disk");
      }
      deltas_.push_back(values.data());
    }
    return {deltas_, count};
  }

  const RoundUpdates& round_;
  std::size_t at_once_;
  std::vector<float> values_;
  std::vector<const float*> deltas_;
};

RoundUpdates::RoundUpdates(boost::asio::thread_pool& workers, const AggregationRule& rule,
                           std::vector<RoundUpdate> updates, const Shape& shape)
    : workers_(workers), updates_(std::move(updates)), shape_(shape) {
  std::sort(updates_.begin(), updates_.end(),
            [](const RoundUpdate& a, const RoundUpdate& b) { return a.device < b.device; });
  std::vector<UpdateFacts> facts;
  for (const RoundUpdate& update : updates_) facts.push_back(update.facts);
  aggregation_ = rule.begin({facts, shape_.trained, shape_.max_delta});
  while (std::optional<ExactTotals> totals = aggregation_->next_survey()) {
    survey(*totals);
    aggregation_->surveyed(*totals);
  }
}

template <typename Work>
void RoundUpdates::divide(std::size_t first, std::size_t count, const Work& work) const {
  const std::size_t blocks = blocks_of(count);
  const std::size_t parts = std::clamp<std::size_t>(blocks, 1, shape_.parts);
  const std::size_t length = blocks_of(blocks * block_elements / parts) * block_elements;
  share_work(workers_, parts, [&](std::size_t part) {
    const std::size_t begin = std::min(part * length, count);
    work(first + begin, first + std::min(begin + length, count));
  });
}

void RoundUpdates::survey(ExactTotals& totals) const {
  const ExactTotals none = totals;
  std::mutex adding;
  divide(0, shape_.trained, [&](std::size_t begin, std::size_t end) {
    Reader reader(*this);
    ExactTotals own = none;
    reader.for_each_range(begin, end, [&](std::size_t /*first*/, const DeltaRange& range) {
      aggregation_->survey(range, own);
    });
    const std::lock_guard lock(adding);
    totals.add(own);
  });
}

void RoundUpdates::combine(std::size_t first, std::span<double> delta) const {
  divide(first, delta.size(), [&](std::size_t begin, std::size_t end) {
    Reader reader(*this);
    reader.for_each_range(begin, end, [&](std::size_t at, const DeltaRange& range) {
      aggregation_->combine(range, delta.subspan(at - first, range.count));
    });
  });
}

}  // namespace fl::server

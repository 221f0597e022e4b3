#include "server/fleet/round_fold.h"

#include <cerrno>
#include <fcntl.h>
#include <functional>
#include <unistd.h>
#include <vector>

#include "common/base/error.h"
#include "common/base/files.h"
#include "common/model/finite.h"

namespace fl::server {
namespace {

constexpr std::size_t piece_elements = std::size_t{256} << 10U;

/// Calls `visit` with the index of the first element and the elements of each piece, until it returns false.
void for_each_piece(const std::filesystem::path& path,
                    const std::function<bool(std::size_t, std::span<const float>)>& visit) {
  const FileDescriptor file = open_file(path, O_RDONLY);
  std::vector<float> piece(piece_elements);
  std::size_t first = 0;
  for (;;) {
    std::size_t bytes = 0;
    while (bytes < piece.size() * sizeof(float)) {
      const ssize_t count = ::read(file.get(), reinterpret_cast<char*>(piece.data()) + bytes,
                                   piece.size() * sizeof(float) - bytes);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) throw_system_error(errno, "reading " + path.string());
      if (count == 0) break;
      bytes += static_cast<std::size_t>(count);
    }
    const std::size_t elements = bytes / sizeof(float);
    if (elements == 0 || !visit(first, std::span(piece).first(elements))) return;
    first += elements;
  }
}

UpdateFault fault_at(std::size_t index, float value, float bound) {
  const std::string where = "element " + std::to_string(index) + " of the delta is " + std::to_string(value);
  if (!(std::abs(value) <= std::numeric_limits<float>::max())) {
    return {wire::Outcome::not_finite, where + ", every element must be finite"};
  }
  return {wire::Outcome::delta_too_large,
          where + ", the plan allows magnitudes up to " + std::to_string(bound)};
}

}  // namespace

std::optional<UpdateFault> check_update(const std::filesystem::path& delta, float bound) {
  std::optional<UpdateFault> fault;
  for_each_piece(delta, [&](std::size_t first, std::span<const float> values) {
    if (const std::optional<std::size_t> index = first_outside(values, bound)) {
      fault = fault_at(first + *index, values[*index], bound);
    }
    return !fault;
  });
  return fault;
}

void fold_update(const std::filesystem::path& delta, std::uint32_t weight, ExactFold& fold) {
  std::size_t elements = 0;
  for_each_piece(delta, [&](std::size_t first, std::span<const float> values) {
    elements = first + values.size();
    if (elements > fold.size()) return false;
    fold.add(first, values, weight);
    return true;
  });
  if (elements != fold.size()) {
    throw Error(ErrorCode::invalid_data, delta.string() + " does not hold the " +
                                             std::to_string(fold.size()) + " elements of the model");
  }
  fold.add_weight(weight);
}

Weights next_weights(const BlobStore& blobs, const Digest& base, const Layout& layout,
                     const Strategy& strategy, const ExactFold& fold) {
  const Weights weights = weights_from(blobs.get(base), layout.size());
  Weights next(layout.size());
  strategy.next_version(layout, weights, fold, next);
  return next;
}

}  // namespace fl::server

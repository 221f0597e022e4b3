#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "common/base/digest.h"
#include "common/model/layout.h"

namespace fl::client {

/// A device's control variate of one task (SCAFFOLD's c_i) on its disk: `control` is what counts, and
/// `control-next` what it becomes once the server has the update that goes with it. Both are for the task's
/// layout: what was kept for another one, is damaged or is not there is zeros, from which the algorithm finds
/// back by itself. Each is written atomically. Any thread, one writer at a time.
class ControlStore {
 public:
  /// The task's folder, which need not be there yet.
  ControlStore(std::filesystem::path folder, const Digest& layout);

  /// As many elements as are trained.
  Weights read(std::size_t elements) const;
  /// To become what counts with this update; in place of another. Throws Error as the system fails.
  void propose(const Digest& update, std::span<const float> control) const;
  /// The server has this update. Nothing where what waits is not its own. Throws Error as the system fails.
  void confirm(const Digest& update) const;

 private:
  std::filesystem::path folder_;
  Digest layout_;
};

}  // namespace fl::client

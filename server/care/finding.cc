#include "server/care/finding.h"

namespace fl::server {

std::string_view name(Finding::Kind kind) {
  switch (kind) {
    case Finding::Kind::loss:
      return "loss";
    case Finding::Kind::leftover:
      return "leftover";
    case Finding::Kind::skipped:
      return "skipped";
    default:
      return "fault";
  }
}

}  // namespace fl::server

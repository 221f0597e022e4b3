#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fl::server {

/// Something that a check of a home has come upon.
struct Finding {
  enum class Kind : std::uint8_t {
    fault,     ///< Something is lost that is needed, or is not what it should be.
    loss,      ///< A file is lost or damaged that no device and no round waits for: all goes on without it.
    leftover,  ///< Harmless: it takes room and nothing else.
    skipped,   ///< What could not be looked at now.
  };

  Kind kind = Kind::fault;
  std::string where;   ///< A file of the home, or a record of its ledger.
  std::string what;    ///< What is wrong with it.
  std::string remedy;  ///< What fl-server will do about it, and what the operator can do.
};

std::string_view name(Finding::Kind kind);

using Findings = std::vector<Finding>;

}  // namespace fl::server

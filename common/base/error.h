#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace fl {

/// Why an operation failed, coarse enough to branch on. The sentence of the Error says the rest.
enum class ErrorCode {
  invalid_argument,     ///< A flag, a value or a call is wrong; nothing was changed.
  invalid_data,         ///< A file, a frame or a model does not hold what it should.
  not_found,            ///< A file, a task, a version or a device does not exist.
  already_exists,       ///< What was to be made is there already; it was left as it was.
  permission_denied,    ///< The operating system or the peer forbids it.
  unauthenticated,      ///< A certificate, a token or a signature does not verify.
  failed_precondition,  ///< Right call, wrong moment: not enrolled, not running, no model yet.
  resource_exhausted,   ///< A limit, a quota or the disk is full.
  unavailable,          ///< The peer or the network is not there now; trying again may work.
  timeout,              ///< A step took longer than its limit.
  cancelled,            ///< Stopped by the caller.
  protocol,             ///< The peer broke the protocol.
  internal,             ///< A defect of this program.
};

/// The code's name in lower case, as it appears in logs and in JSON, for example "invalid_data".
std::string_view name(ErrorCode code);

/// A failure: a code and one sentence that says what is wrong, where, and what would be right.
/// Every library of this project reports failures by throwing this type and no other; outcomes that are
/// expected (an update refused, a gate that abstains) are values, not errors.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& sentence) : std::runtime_error(sentence), code_(code) {}

  ErrorCode code() const noexcept { return code_; }

  /// The same error with where it happened put before its sentence: "reading x.csv: …".
  Error within(const std::string& context) const { return {code_, context + ": " + what()}; }

 private:
  ErrorCode code_;
};

/// Throws an Error of code unavailable, permission_denied, not_found or resource_exhausted as `number`
/// (an errno value) suggests, with the system's own words after `doing`: "opening x: No such file".
[[noreturn]] void throw_system_error(int number, const std::string& doing);

}  // namespace fl

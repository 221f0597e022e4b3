#include <algorithm>
#include <chrono>

#include <boost/json.hpp>

#include "common/base/error.h"
#include "common/base/random.h"
#include "common/net/enrolment_token.h"
#include "server/admin/administration.h"
#include "server/admin/request.h"

namespace fl::server {
namespace json = boost::json;

namespace {

constexpr std::uint64_t most_tokens = 10'000;
constexpr std::uint64_t most_hours = std::uint64_t{24} * 366;
constexpr std::size_t secret_size = 32;
constexpr std::size_t longest_device_name = 64;

void check_device_name(const std::string& name) {
  const bool printable =
      std::none_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (!printable || name.size() > longest_device_name) {
    throw Error(ErrorCode::invalid_argument, "a device's name has at most " +
                                                 std::to_string(longest_device_name) +
                                                 " bytes and no control characters");
  }
}

/// The name of one of several devices: "kitchen-3".
std::string numbered(const std::string& name, std::uint64_t number, std::uint64_t count) {
  return name.empty() || count == 1 ? name : name + "-" + std::to_string(number);
}

json::object json_of(const DeviceRecord& device) {
  return {{"device", device.id},
          {"name", device.name},
          {"enrolled", device.enrolled.time_since_epoch().count()},
          {"certificate_serial", device.certificate_serial},
          {"certificate_expires", device.certificate_expires.time_since_epoch().count()},
          {"last_seen", device.last_seen.time_since_epoch().count()},
          {"revoked", device.revoked}};
}

}  // namespace

json::object Administration::make_tokens(const Request& request) {
  const std::uint64_t count = request.number_or("count", 1, 1, most_tokens);
  const std::chrono::hours lifetime(request.number_or("hours", 24, 1, most_hours));
  const std::string device_name = request.text_or("name", "");
  check_device_name(numbered(device_name, count, count));
  const Timestamp expires = clock_.now() + lifetime;
  const net::Endpoint server = public_endpoint();
  const Digest authority = home_.authority().certificate.fingerprint();
  json::array texts;
  for (std::uint64_t number = 1; number <= count; ++number) {
    const net::EnrolmentToken token{server, authority, secret_bytes(secret_size)};
    ledger_.add_token(sha256(token.secret), numbered(device_name, number, count), expires);
    texts.push_back(json::string(token.text()));
  }
  return {{"tokens", std::move(texts)}, {"expires", expires.time_since_epoch().count()}};
}

json::object Administration::devices() const {
  json::array list;
  for (const DeviceRecord& device : ledger_.devices()) list.push_back(json_of(device));
  return {{"devices", std::move(list)}};
}

json::object Administration::revoke_device(const Request& request) {
  const std::string device = request.text("device");
  ledger_.revoke_device(device);
  if (live_.disconnect) live_.disconnect(device);
  return {{"device", device}};
}

}  // namespace fl::server

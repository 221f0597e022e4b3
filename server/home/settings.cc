#include "server/home/settings.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

#include <boost/asio/ip/address.hpp>

#include "common/base/error.h"
#include "common/base/text.h"
#include "common/program/arguments.h"
#include "common/program/nearest.h"

namespace fl::server {
namespace {

const std::array<std::string, 6>& log_levels() {
  static const std::array<std::string, 6> levels{"trace", "debug", "info", "warn", "error", "off"};
  return levels;
}

program::Options known_settings() {
  return program::Options()
      .value("listen", "ADDRESS:PORT", "")
      .value("host", "NAME", "")
      .value("max-connections", "N", "")
      .value("max-handshakes", "N", "")
      .value("max-address-handshakes", "N", "")
      .value("address-connections-per-minute", "N", "")
      .value("device-connections-per-minute", "N", "")
      .value("max-transfers", "N", "")
      .value("device-certificate-days", "N", "")
      .value("metrics", "ADDRESS:PORT", "")
      .value("inference", "ADDRESS:PORT", "")
      .value("inference-executors", "N", "")
      .value("log-level", "LEVEL", "");
}

void read_number(const program::Arguments& given, const std::string& name, std::int64_t max,
                 std::uint32_t& out) {
  if (given.has(name)) out = static_cast<std::uint32_t>(given.integer(name, 1, max));
}

constexpr std::int64_t most_connections = 1'000'000;
constexpr std::int64_t most_handshakes = 100'000;
constexpr std::int64_t most_per_minute = 10'000'000;
constexpr std::int64_t most_transfers = 1024;
constexpr std::int64_t most_days = 3650;
constexpr std::int64_t most_executors = 64;
constexpr std::size_t most_host_bytes = 64;

[[noreturn]] void refuse(const std::string& sentence) {
  throw Error(ErrorCode::invalid_argument, sentence);
}

void read_endpoint(const program::Arguments& given, const std::string& name, net::Endpoint& out) {
  try {
    out = net::Endpoint::parse(given.text(name));
  } catch (const Error& error) {
    refuse(given.where(name) + ": " + error.what());
  }
}

void read_endpoint_or_off(const program::Arguments& given, const std::string& name,
                          std::optional<net::Endpoint>& out) {
  if (given.has(name) && given.text(name) != endpoint_off) read_endpoint(given, name, out.emplace());
}

void check_range(const char* name, std::int64_t value, std::int64_t max) {
  if (value < 1 || value > max) {
    refuse(std::string(name) + " = " + std::to_string(value) +
           " is out of range; it must be at least 1 and at most " + std::to_string(max));
  }
}

bool is_dns_name(const std::string& name) {
  const auto fits = [](unsigned char c) { return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_'; };
  const auto ends_well = [](unsigned char c) { return std::isalnum(c) != 0; };
  return !name.empty() && std::all_of(name.begin(), name.end(), fits) &&
         ends_well(static_cast<unsigned char>(name.front())) &&
         ends_well(static_cast<unsigned char>(name.back())) && name.find("..") == std::string::npos;
}

void check_host(const std::string& host) {
  if (host.size() > most_host_bytes) {
    refuse("host = " + in_quotes(host) + " is longer than " + std::to_string(most_host_bytes) +
           " bytes, the most that a certificate can name");
  }
  boost::system::error_code no_address;
  const auto address = boost::asio::ip::make_address(host, no_address);
  if (no_address && !is_dns_name(host)) {
    refuse("host = " + in_quotes(host) + " is neither a DNS name nor an IP address");
  }
  if (!no_address && address.is_unspecified()) {
    refuse("host = " + host +
           " stands for every address of this machine, under which no device can reach it; " +
           "give one of them, or a DNS name");
  }
}

void check_log_level(const std::string& level) {
  const auto& known = log_levels();
  if (std::find(known.begin(), known.end(), level) != known.end()) return;
  refuse("log-level = " + in_quotes(level) + " is none of trace, debug, info, warn, error, off" +
         program::did_you_mean(level, known));
}

std::string text_of(const std::optional<net::Endpoint>& endpoint) {
  return endpoint ? endpoint->text() : std::string(endpoint_off);
}

std::string setting(const std::string& comment, const std::string& name, const std::string& value) {
  return "\n# " + comment + "\n" + name + " = " + value + "\n";
}

}  // namespace

void check_settings(const ServerConfig& config) {
  if (config.listen.host.empty()) refuse("listen has no address; it reads ADDRESS:PORT, as 0.0.0.0:7443");
  if (config.metrics && config.metrics->host.empty()) {
    refuse("metrics has no address; it reads ADDRESS:PORT, as 127.0.0.1:7444, or off");
  }
  if (config.inference && config.inference->host.empty()) {
    refuse("inference has no address; it reads ADDRESS:PORT, as 0.0.0.0:7445, or off");
  }
  check_range("inference-executors", config.inference_executors, most_executors);
  check_host(config.public_host);
  check_range("max-connections", config.max_connections, most_connections);
  check_range("max-handshakes", config.max_handshakes, most_handshakes);
  check_range("max-address-handshakes", config.max_address_handshakes, most_handshakes);
  check_range("address-connections-per-minute", config.address_connections_per_minute, most_per_minute);
  check_range("device-connections-per-minute", config.device_connections_per_minute, most_per_minute);
  check_range("max-transfers", config.max_transfers, most_transfers);
  check_range("device-certificate-days", config.device_certificate_days, most_days);
  check_log_level(config.log_level);
}

std::string settings_text(const ServerConfig& config) {
  return "# Settings of fl-server, read when it starts.\n" +
         setting("Where it listens. Port 0 takes a free one.", "listen", config.listen.text()) +
         setting("The name or address by which devices reach it, as enrolment tokens tell them.", "host",
                 config.public_host) +
         setting("Devices connected at a time; further ones are told to come back later.", "max-connections",
                 std::to_string(config.max_connections)) +
         setting("Peers at a time that have not shown who they are yet; these come on top.", "max-handshakes",
                 std::to_string(config.max_handshakes)) +
         setting("How many of them may have one address, behind which may be many devices.",
                 "max-address-handshakes", std::to_string(config.max_address_handshakes)) +
         setting("New connections from one address, an IPv6 network /64 counting as one.",
                 "address-connections-per-minute", std::to_string(config.address_connections_per_minute)) +
         setting("New connections of one device.", "device-connections-per-minute",
                 std::to_string(config.device_connections_per_minute)) +
         setting("Uploads and downloads at a time; each needs some memory.", "max-transfers",
                 std::to_string(config.max_transfers)) +
         setting("How long a device's certificate holds; devices renew it at half of that.",
                 "device-certificate-days", std::to_string(config.device_certificate_days)) +
         setting(
             "Where Prometheus reads the server's figures, at /metrics over plain HTTP without a password; "
             "or off.",
             "metrics", text_of(config.metrics)) +
         setting(
             "Where predictions are answered over HTTPS, once 'fl-server key add' has made a key; or off.",
             "inference", text_of(config.inference)) +
         setting("Copies of each model, which answer at the same time.", "inference-executors",
                 std::to_string(config.inference_executors)) +
         setting("trace, debug, info, warn, error or off", "log-level", config.log_level);
}

ServerConfig read_settings(const std::filesystem::path& file) {
  const program::Arguments given = program::parse_file(known_settings(), file);
  ServerConfig config;
  if (given.has("listen")) read_endpoint(given, "listen", config.listen);
  read_endpoint_or_off(given, "metrics", config.metrics);
  read_endpoint_or_off(given, "inference", config.inference);
  read_number(given, "inference-executors", most_executors, config.inference_executors);
  if (given.has("host")) config.public_host = given.text("host");
  read_number(given, "max-connections", most_connections, config.max_connections);
  read_number(given, "max-handshakes", most_handshakes, config.max_handshakes);
  read_number(given, "max-address-handshakes", most_handshakes, config.max_address_handshakes);
  read_number(given, "address-connections-per-minute", most_per_minute,
              config.address_connections_per_minute);
  read_number(given, "device-connections-per-minute", most_per_minute, config.device_connections_per_minute);
  read_number(given, "max-transfers", most_transfers, config.max_transfers);
  read_number(given, "device-certificate-days", most_days, config.device_certificate_days);
  if (given.has("log-level")) config.log_level = given.text("log-level");
  try {
    check_settings(config);
  } catch (const Error& error) {
    throw error.within(file.string());
  }
  // Not left to a default: an emptied file must not open a server to every network.
  for (const char* const name : {"listen", "host"}) {
    if (!given.has(name)) refuse(file.string() + ": the setting '" + name + "' is missing");
  }
  return config;
}

}  // namespace fl::server

#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/files.h"
#include "common/model/signing.h"
#include "common/net/certificates.h"
#include "common/net/endpoint.h"

namespace fl::server {

/// What the settings metrics and inference say where there is to be no such endpoint.
inline constexpr std::string_view endpoint_off = "off";

/// The server's settings, from fl-server.ini in its home (Boost.Program_options syntax).
struct ServerConfig {
  /// listen = ADDRESS:PORT; port 0 takes a free one.
  net::Endpoint listen{"0.0.0.0", 7443};
  /// host = NAME: what tokens tell devices, and what the certificate is for.
  std::string public_host = "127.0.0.1";
  std::uint32_t max_connections = 10'000;  ///< max-connections: devices at a time.
  /// max-handshakes: of peers that have not shown who they are, at a time; these come on top.
  std::uint32_t max_handshakes = 1024;
  std::uint32_t max_address_handshakes = 512;             ///< max-address-handshakes: of an address
  std::uint32_t address_connections_per_minute = 12'000;  ///< address-connections-per-minute
  std::uint32_t device_connections_per_minute = 60;       ///< device-connections-per-minute
  std::uint32_t max_transfers = 16;                       ///< max-transfers: uploads and downloads at a time.
  std::uint32_t device_certificate_days = 30;             ///< device-certificate-days
  /// metrics = ADDRESS:PORT, or off: where 'GET /metrics' is answered over plain HTTP.
  std::optional<net::Endpoint> metrics;
  /// inference = ADDRESS:PORT, or off: where predictions are answered over HTTPS, once there is a key.
  std::optional<net::Endpoint> inference;
  std::uint32_t inference_executors = 1;  ///< inference-executors: copies of each model
  std::string log_level = "info";         ///< log-level: trace, debug, info, warn, error, off
};

/// Holds a home's folder for this process alone until the result goes. Throws Error(failed_precondition)
/// naming the process that has it, after waiting up to a second for one that is about to end.
FileDescriptor lock_home(const std::filesystem::path& folder);

/// A server's folder: fl-server.ini, authority.pem/.key, server.pem/.key, signing.key, ledger.db, blobs/,
/// spool/, admin.sock, lock. Made once by create(); a value of paths and loaded keys afterwards. Any thread.
class ServerHome {
 public:
  /// Makes the folder (0700) with fresh keys (0600), certificates, configuration and database: all of it or
  /// nothing. Throws Error: already_exists where there is a home already or the folder is not empty, and
  /// leaves it as it was; invalid_argument naming the setting of `config` that is wrong.
  static ServerHome create(const std::filesystem::path& folder, const ServerConfig& config, Timestamp now);
  /// Throws Error: not_found where there is none, saying how to make one; invalid_argument naming file, line
  /// and key of a setting that is wrong or unknown, the latter with the nearest known one.
  static ServerHome open(const std::filesystem::path& folder);

  /// The same home with other settings than its file has. Throws Error(invalid_argument) as open() does.
  ServerHome with(const ServerConfig& config) const;

  /// The names of the files that create() makes once for all: settings, keys and certificates.
  static std::span<const char* const> fixed_files();

  const std::filesystem::path& folder() const { return folder_; }
  const ServerConfig& config() const { return config_; }
  std::filesystem::path ledger_path() const { return folder_ / "ledger.db"; }
  std::filesystem::path blobs_path() const { return folder_ / "blobs"; }
  std::filesystem::path spool_path() const { return folder_ / "spool"; }
  std::filesystem::path admin_socket() const { return folder_ / "admin.sock"; }

  net::Identity authority() const;
  net::Identity server_identity() const;
  SigningKey signing_key() const;

  FileDescriptor lock() const { return lock_home(folder_); }

 private:
  ServerHome(std::filesystem::path folder, ServerConfig config)
      : folder_(std::move(folder)), config_(std::move(config)) {}

  std::filesystem::path folder_;
  ServerConfig config_;
};

}  // namespace fl::server

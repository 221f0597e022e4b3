#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "common/base/files.h"
#include "common/model/signing.h"
#include "common/net/certificates.h"
#include "common/net/endpoint.h"

namespace fl::client {

/// What a device knows of itself and of its federation, from device.json in its home.
struct DeviceSettings {
  std::string device;     ///< Its id, as in its certificate.
  std::string name;       ///< As the device was enrolled; may be empty.
  net::Endpoint server;   ///< Where to connect to.
  PublicKey signing_key;  ///< Whose manifests to believe.
};

/// A device's folder (0700): device.json, authority.pem, identity-N/device.pem and .key (0600), examples.db,
/// models/, outbox/, lock, serving.key (0600).
///
/// device.json is written last when a home is made and names the identity in use, so that replacing that one
/// file atomically makes a home, or renews its key and certificate together.
///
/// Any thread.
class DeviceHome {
 public:
  /// Whether `folder` is a home, whole enough to have a device.json.
  static bool exists(const std::filesystem::path& folder);

  /// Throws Error: not_found where there is no home, saying how to make one; invalid_data where device.json
  /// is not what create() wrote.
  static DeviceHome open(const std::filesystem::path& folder);

  const std::filesystem::path& folder() const { return folder_; }
  const DeviceSettings& settings() const { return settings_; }
  std::filesystem::path examples_path() const { return folder_ / "examples.db"; }
  std::filesystem::path models_path() const { return folder_ / "models"; }
  std::filesystem::path outbox_path() const { return folder_ / "outbox"; }
  std::filesystem::path serving_key_path() const { return folder_ / "serving.key"; }

  /// The key of this home that requests to the device's endpoint need: 64 hexadecimal digits, made when it is
  /// first asked for. Throws Error(invalid_data) naming the file where it holds something else.
  std::string serving_key() const;

  /// The device's certificate alone.
  net::Certificate certificate() const;
  /// The device's certificate and key. Throws Error: not_found or invalid_data naming the file.
  net::Identity identity() const;
  /// The federation's CA, pinned at enrolment.
  net::Certificate authority() const;

  /// Takes a new certificate and key in place of the old ones, both or neither. Throws Error as the system
  /// fails; the old ones are then still in use.
  void replace_identity(const net::Identity& identity);

  /// Holds the home for this process alone until the result goes. Throws Error(failed_precondition) where
  /// another process has it.
  FileDescriptor lock() const;

 private:
  friend class HomeDraft;
  DeviceHome(std::filesystem::path folder, DeviceSettings settings, std::string identity_folder)
      : folder_(std::move(folder)),
        settings_(std::move(settings)),
        identity_folder_(std::move(identity_folder)) {}

  void write_settings(const std::string& identity_folder) const;
  std::filesystem::path identity_folder() const;

  std::filesystem::path folder_;
  DeviceSettings settings_;
  std::unique_ptr<std::mutex> mutex_ = std::make_unique<std::mutex>();  // guards what follows, and its files
  std::string identity_folder_;
};

/// A home in the making: claims the folder and makes the key before the one-time token is spent, so that a
/// folder that cannot be written is found out first. Unless finish() comes, the destructor takes away what
/// was made and leaves the folder as it was.
class HomeDraft {
 public:
  /// Throws Error: already_exists where `folder` is a home or a file; failed_precondition where another
  /// process is making it; as the system fails.
  explicit HomeDraft(const std::filesystem::path& folder);
  HomeDraft(const HomeDraft&) = delete;
  HomeDraft& operator=(const HomeDraft&) = delete;
  ~HomeDraft();

  const net::PrivateKey& key() const { return key_; }

  /// Writes the rest; from then on there is a home.
  DeviceHome finish(const DeviceSettings& settings, const net::Certificate& certificate,
                    const net::Certificate& authority);

 private:
  void discard() noexcept;

  std::filesystem::path folder_;
  std::optional<std::filesystem::path> made_;  // the topmost folder that was not there before
  FileDescriptor lock_;
  net::PrivateKey key_;
  bool finished_ = false;
};

}  // namespace fl::client

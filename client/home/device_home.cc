#include "client/home/device_home.h"

#include <cerrno>
#include <fcntl.h>
#include <string_view>
#include <sys/file.h>
#include <unistd.h>

#include <boost/json.hpp>

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/random.h"

namespace fl::client {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr int home_format = 1;
constexpr std::size_t settings_limit = std::size_t{64} << 10U;
constexpr std::string_view identity_prefix = "identity-";

fs::path settings_path(const fs::path& folder) {
  return folder / "device.json";
}

fs::path key_path(const fs::path& identity_folder) {
  return identity_folder / "device.key";
}

fs::path certificate_path(const fs::path& identity_folder) {
  return identity_folder / "device.pem";
}

fs::path authority_path(const fs::path& folder) {
  return folder / "authority.pem";
}

std::string text_at(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_string()) {
    throw Error(ErrorCode::invalid_data, "the text '" + std::string(key) + "' is missing");
  }
  return std::string(value->as_string());
}

/// The folder of the identity in use, which must lie in the home.
std::string identity_folder_at(const json::object& object) {
  std::string folder = text_at(object, "identity");
  const std::string number = folder.substr(std::min(folder.size(), identity_prefix.size()));
  if (!folder.starts_with(identity_prefix) || number.empty() || number.size() > 18 ||
      number.find_first_not_of("0123456789") != std::string::npos) {
    throw Error(ErrorCode::invalid_data, "'identity' is '" + folder + "', expected identity-NUMBER");
  }
  return folder;
}

json::object parse_settings(const std::string& text) {
  boost::system::error_code failure;
  json::value value = json::parse(text, failure);
  if (failure || !value.is_object()) throw Error(ErrorCode::invalid_data, "it is no JSON object");
  const json::value* format = value.as_object().if_contains("format");
  if (format == nullptr || *format != json::value(home_format)) {
    throw Error(ErrorCode::invalid_data, "its 'format' is not " + std::to_string(home_format) +
                                             "; it was made by another version of this program");
  }
  return std::move(value.as_object());
}

DeviceSettings settings_from(const json::object& object) {
  return {.device = text_at(object, "device"),
          .name = text_at(object, "name"),
          .server = net::Endpoint::parse(text_at(object, "server")),
          .signing_key = PublicKey::from_bytes(from_hex(text_at(object, "signing_key")))};
}

/// What device.json says: the settings, and the folder of the identity in use.
std::pair<DeviceSettings, std::string> read_home(const fs::path& folder) {
  const std::string text = read_text_file(settings_path(folder), settings_limit);
  try {
    const json::object object = parse_settings(text);
    return {settings_from(object), identity_folder_at(object)};
  } catch (const Error& error) {
    throw Error(ErrorCode::invalid_data, settings_path(folder).string() + " is damaged: " + error.what());
  }
}

FileDescriptor lock_folder(const fs::path& folder) {
  const fs::path path = folder / "lock";
  FileDescriptor file = open_file(path, O_RDWR | O_CREAT, FileMode::secret);
  if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return file;
  if (errno != EWOULDBLOCK) throw_system_error(errno, "locking " + path.string());
  throw Error(
      ErrorCode::failed_precondition,
      folder.string() + " is in use by another process, for example 'fl-client run'; stop that first");
}

fs::path topmost_missing(const fs::path& folder) {
  fs::path missing = folder;
  while (missing.has_parent_path() && missing.parent_path() != missing &&
         !fs::exists(missing.parent_path())) {
    missing = missing.parent_path();
  }
  return missing;
}

fs::path without_trailing_slash(const fs::path& folder) {
  return folder.has_filename() ? folder : folder.parent_path();
}

}  // namespace

bool DeviceHome::exists(const fs::path& folder) {
  std::error_code ignored;
  return fs::exists(settings_path(folder), ignored);
}

DeviceHome DeviceHome::open(const fs::path& folder) {
  if (!exists(folder)) {
    throw Error(ErrorCode::not_found, folder.string() +
                                          " is no device's home; make one by enrolling: fl-client enroll " +
                                          folder.string() + " --token TOKEN");
  }
  auto [settings, identity_folder] = read_home(folder);
  return {folder, std::move(settings), std::move(identity_folder)};
}

/// Where the identity in use lies. Read from the disk: another process may have renewed it.
fs::path DeviceHome::identity_folder() const {
  return folder_ / read_home(folder_).second;
}

net::Certificate DeviceHome::certificate() const {
  const std::lock_guard lock(*mutex_);
  return net::Certificate::load(certificate_path(identity_folder()));
}

net::Identity DeviceHome::identity() const {
  const std::lock_guard lock(*mutex_);
  const fs::path folder = identity_folder();
  return {net::Certificate::load(certificate_path(folder)), net::PrivateKey::load(key_path(folder))};
}

net::Certificate DeviceHome::authority() const {
  return net::Certificate::load(authority_path(folder_));
}

void DeviceHome::replace_identity(const net::Identity& identity) {
  const std::lock_guard lock(*mutex_);
  const unsigned long long number = std::stoull(identity_folder_.substr(identity_prefix.size())) + 1;
  const std::string fresh = std::string(identity_prefix) + std::to_string(number);
  make_private_folder(folder_ / fresh);
  identity.key.save(key_path(folder_ / fresh));
  identity.certificate.save(certificate_path(folder_ / fresh));
  write_settings(fresh);
  const std::string old = std::exchange(identity_folder_, fresh);
  std::error_code ignored;  // an old identity that stays behind does no harm
  fs::remove_all(folder_ / old, ignored);
}

std::string DeviceHome::serving_key() const {
  const fs::path path = serving_key_path();
  if (!fs::exists(path)) {
    const fs::path fresh = folder_ / ("serving.key." + to_hex(secret_bytes(8)));
    const std::string key = to_hex(secret_bytes(32)) + "\n";
    write_file_atomically(fresh, as_bytes(key), FileMode::secret);
    std::error_code is_there;  // another process was faster: then theirs it is
    fs::create_hard_link(fresh, path, is_there);
    fs::remove(fresh);
  }
  std::string key = read_text_file(path, settings_limit);
  if (key.ends_with('\n')) key.pop_back();
  const bool is_key = key.size() == 64 && key.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (is_key) return key;
  throw Error(ErrorCode::invalid_data,
              path.string() + " holds no key of 64 hexadecimal digits; remove it, and a new one is made");
}

FileDescriptor DeviceHome::lock() const {
  return lock_folder(folder_);
}

void DeviceHome::write_settings(const std::string& identity_folder) const {
  const json::object object{{"format", home_format},
                            {"device", settings_.device},
                            {"name", settings_.name},
                            {"server", settings_.server.text()},
                            {"signing_key", to_hex(settings_.signing_key.bytes)},
                            {"identity", identity_folder}};
  write_file_atomically(settings_path(folder_), as_bytes(json::serialize(object) + "\n"), FileMode::secret);
}

HomeDraft::HomeDraft(const fs::path& folder)
    : folder_(without_trailing_slash(fs::absolute(folder))), key_(net::PrivateKey::generate()) {
  if (DeviceHome::exists(folder_)) {
    throw Error(ErrorCode::already_exists,
                folder.string() + " is a device's home already; enrol another device in another folder");
  }
  if (!fs::exists(folder_)) made_ = topmost_missing(folder_);
  try {
    make_private_folder(folder_);
    lock_ = lock_folder(folder_);
    make_private_folder(folder_ / "identity-1");
    key_.save(key_path(folder_ / "identity-1"));
  } catch (...) {
    if (lock_.valid() || made_) discard();
    throw;
  }
}

HomeDraft::~HomeDraft() {
  if (!finished_) discard();
}

DeviceHome HomeDraft::finish(const DeviceSettings& settings, const net::Certificate& certificate,
                             const net::Certificate& authority) {
  fs::permissions(folder_, fs::perms::owner_all);
  DeviceHome home(folder_, settings, "identity-1");
  certificate.save(certificate_path(folder_ / "identity-1"));
  authority.save(authority_path(folder_));
  home.write_settings("identity-1");
  finished_ = true;
  return home;
}

void HomeDraft::discard() noexcept {
  std::error_code ignored;
  if (made_) {
    fs::remove_all(*made_, ignored);
    return;
  }
  fs::remove_all(folder_ / "identity-1", ignored);
  fs::remove(authority_path(folder_), ignored);
  fs::remove(folder_ / "lock", ignored);
}

}  // namespace fl::client

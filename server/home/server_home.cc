#include "server/home/server_home.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <sys/file.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>

#include "common/base/error.h"
#include "server/home/settings.h"
#include "server/ledger/ledger.h"

namespace fl::server {
namespace {

constexpr const char* settings_file = "fl-server.ini";
constexpr auto authority_lifetime = std::chrono::hours(24) * 3650;
/// How long a command that is about to end may keep the lock from the next.
constexpr auto lock_patience = std::chrono::milliseconds(1000);

std::string number_in(const FileDescriptor& file) {
  char text[32];
  const ssize_t count = ::pread(file.get(), text, sizeof text, 0);
  std::string number;
  for (ssize_t i = 0; i < count && text[i] >= '0' && text[i] <= '9'; ++i) number += text[i];
  return number;
}

bool lock_within(const FileDescriptor& file, std::chrono::milliseconds patience) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) throw_system_error(errno, "locking the server's home");
    if (std::chrono::steady_clock::now() >= end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

/// A folder beside `folder`, or beside the first of its parents that is not there: on the same disk.
class Scaffold {
 public:
  explicit Scaffold(const std::filesystem::path& folder) {
    std::filesystem::path base = std::filesystem::absolute(folder).lexically_normal();
    do {
      base = base.parent_path();
    } while (!std::filesystem::exists(base));
    std::string pattern = (base / ".fl-server-init-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr)
      throw_system_error(errno, "making a folder in " + base.string());
    path_ = pattern;
  }
  Scaffold(const Scaffold&) = delete;
  Scaffold& operator=(const Scaffold&) = delete;
  ~Scaffold() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::filesystem::path& path() const { return path_; }

  void become(const std::filesystem::path& folder) {
    const std::filesystem::path parent = std::filesystem::absolute(folder).lexically_normal().parent_path();
    make_private_folder(parent);
    std::error_code problem;
    std::filesystem::rename(path_, folder, problem);
    if (problem) throw_system_error(problem.value(), "making " + folder.string());
    sync_folder(parent);
  }

 private:
  std::filesystem::path path_;
};

/// SQLite would take a missing or an empty file for a new ledger.
void check_ledger(const std::filesystem::path& ledger) {
  std::error_code missing;
  const std::uintmax_t bytes = std::filesystem::file_size(ledger, missing);
  if (missing.value() == EACCES || (!missing && bytes > 0)) return;
  throw Error(ErrorCode::invalid_data, ledger.string() + " is " + (missing ? "missing" : "empty") +
                                           "; restore the server's home from a backup");
}

void refuse_if_taken(const std::filesystem::path& folder) {
  std::error_code ignored;
  if (std::filesystem::exists(folder / settings_file, ignored)) {
    throw Error(ErrorCode::already_exists,
                folder.string() + " is a server's home already; it was left as it was");
  }
  const bool is_there = std::filesystem::exists(std::filesystem::symlink_status(folder, ignored));
  if (is_there && !std::filesystem::is_directory(folder, ignored)) {
    throw Error(ErrorCode::already_exists, folder.string() + " is there and is not a folder");
  }
  if (is_there && !std::filesystem::is_empty(folder)) {
    throw Error(ErrorCode::already_exists,
                folder.string() + " is not empty; a server's home needs a folder of its own");
  }
}

void save_identity(const net::Identity& identity, const std::filesystem::path& folder,
                   const std::string& name) {
  identity.certificate.save(folder / (name + ".pem"));
  identity.key.save(folder / (name + ".key"));
}

net::Identity load_identity(const std::filesystem::path& folder, const std::string& name) {
  return {net::Certificate::load(folder / (name + ".pem")), net::PrivateKey::load(folder / (name + ".key"))};
}

void furnish(const std::filesystem::path& folder, const ServerConfig& config, Timestamp now) {
  const net::Validity validity{now, authority_lifetime};
  const net::Identity authority = net::make_authority("fl-server " + config.public_host, validity);
  save_identity(authority, folder, "authority");
  save_identity(net::issue_server(authority, config.public_host, validity), folder, "server");
  SigningKey::generate().save(folder / "signing.key");
  {
    const Ledger ledger(folder / "ledger.db");
  }
  make_private_folder(folder / "blobs");
  make_private_folder(folder / "spool");
  // Last, because it is what tells a home from a folder.
  write_file_atomically(folder / settings_file, as_bytes(settings_text(config)), FileMode::secret);
}

}  // namespace

ServerHome ServerHome::create(const std::filesystem::path& folder, const ServerConfig& config,
                              Timestamp now) {
  check_settings(config);
  if (folder.empty())
    throw Error(ErrorCode::invalid_argument, "the server's home has an empty name; name a folder");
  refuse_if_taken(folder);
  Scaffold scaffold(folder);
  furnish(scaffold.path(), config, now);
  scaffold.become(folder);
  return open(folder);
}

ServerHome ServerHome::open(const std::filesystem::path& folder) {
  const std::filesystem::path settings = folder / settings_file;
  std::error_code ignored;
  if (!std::filesystem::exists(settings, ignored) && ignored.value() != EACCES) {
    throw Error(ErrorCode::not_found, "there is no server's home in " + folder.string() +
                                          "; 'fl-server init " + folder.string() + "' makes one");
  }
  ServerConfig config = read_settings(settings);
  check_ledger(folder / "ledger.db");
  return {folder, std::move(config)};
}

ServerHome ServerHome::with(const ServerConfig& config) const {
  check_settings(config);
  return {folder_, config};
}

net::Identity ServerHome::authority() const {
  return load_identity(folder_, "authority");
}

net::Identity ServerHome::server_identity() const {
  return load_identity(folder_, "server");
}

SigningKey ServerHome::signing_key() const {
  return SigningKey::load(folder_ / "signing.key");
}

std::span<const char* const> ServerHome::fixed_files() {
  static constexpr std::array<const char*, 6> names{settings_file, "authority.pem", "authority.key",
                                                    "server.pem",  "server.key",    "signing.key"};
  return names;
}

FileDescriptor lock_home(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "lock";
  FileDescriptor file = open_file(path, O_RDWR | O_CREAT, FileMode::secret);
  if (!lock_within(file, lock_patience)) {
    throw Error(ErrorCode::failed_precondition, folder.string() + " is in use by process " + number_in(file) +
                                                    "; stop that server first, or use another home");
  }
  if (::ftruncate(file.get(), 0) != 0) throw_system_error(errno, "writing " + path.string());
  write_all(file, as_bytes(std::to_string(::getpid()) + "\n"), path);
  return file;
}

}  // namespace fl::server
